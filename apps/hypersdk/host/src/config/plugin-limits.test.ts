import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { PluginSettings } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { pluginSettings } from '../providers/plugin-settings.ts'
import type { PluginsConfig } from './host-config.ts'
import { loadConfig } from './load-config.ts'
import { declaredManifest } from '../fixtures/declared-manifest.ts'

interface Loaded {
  readonly plugins: PluginsConfig
  /** Settings of `acme/slow`, which supplies the provider type `slow`. */
  readonly settings: PluginSettings
}

async function load(t: TestContext, plugins: string): Promise<Loaded> {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-limits-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const lines = plugins.split('\n').map((line) => `  ${line}`)
  await writeFile(join(directory, 'c.yaml'), `plugins:\n${lines.join('\n')}\n`)
  const config = await loadConfig('c.yaml', {}, { env: { HOME: directory }, uid: 1000, cwd: directory })
  const manifest = declaredManifest('acme/slow', ['slow'])
  return { plugins: config.plugins, settings: pluginSettings(config, {})(manifest.id, manifest) }
}

/** Problems without the file's name. */
async function problemsOf(t: TestContext, plugins: string): Promise<readonly string[]> {
  try {
    await load(t, plugins)
  } catch (error) {
    assert.ok(error instanceof PlatformError)
    const lines = error.details?.['lines'] as readonly string[]
    return lines.map((line) => line.replace('c.yaml:', ''))
  }
  return []
}

test('limits of dropped-in plugins are read with their units', async (t) => {
  const written = `limits:
  memory: 64MiB
  cpu_percent: 50
  processes: 32
  open_files: 128
  data: 1GiB
  tmp: 2MB
  timeout: 30s
  stall: 1500ms
  output: 128KiB
  concurrency: 4`
  const { plugins, settings } = await load(t, written)
  assert.deepEqual(plugins.limits, {
    memoryMiB: 64,
    cpuPercent: 50,
    processes: 32,
    openFiles: 128,
    dataBytes: 1024 ** 3,
    tmpBytes: 2_000_000,
    timeoutMs: 30_000,
    outputBytesPerSecond: 128 * 1024,
    stallMs: 1_500,
    concurrency: 4,
  })
  assert.deepEqual([settings.limits, settings.onLimit], [{}, {}], 'ceilings are no word for one plugin')
})

test('what is said of a plugin by name wins over its provider type, member by member', async (t) => {
  const written = `providers:
  slow: { tier: contained, criticality: required, limits: { memory: 64MiB, concurrency: 2 }, on_limit: { memory: warn, cpu: restart } }
per_plugin:
  slow: { criticality: optional, limits: { memory: 96MiB }, on_limit: { memory: quarantine } }`
  const { settings } = await load(t, written)
  assert.deepEqual([settings.tier, settings.criticality], ['contained', 'optional'])
  assert.deepEqual(settings.limits, { memoryMiB: 96, concurrency: 2 })
  assert.deepEqual(settings.onLimit, { memory: 'quarantine', cpu: 'restart' })
  const byId = await load(t, `${written}\n  acme/slow: { limits: { memory: 128MiB } }`)
  assert.deepEqual(byId.settings.limits, { memoryMiB: 128, concurrency: 2 })
  const other = await load(t, 'per_plugin: { fast: { limits: { memory: 64MiB } } }')
  assert.deepEqual(other.settings.limits, {})
})

test('actions and namespaces are handed on as the kernel names them', async (t) => {
  const written = `on_limit: { open_files: restart, output: quarantine }
namespaces:
  acme: { plugins: [acme/*, other/one], limits: { memory: 300MiB, concurrency: 8, timeout: 2m } }
  default: { limits: { cpu_percent: 80 } }`
  const { plugins } = await load(t, written)
  assert.deepEqual(plugins.onLimit, { 'open-files': 'restart', output: 'quarantine' })
  assert.deepEqual(plugins.namespaces, {
    acme: { plugins: ['acme/*', 'other/one'], limits: { memoryMiB: 300, concurrency: 8, callMs: 120_000 } },
    default: { plugins: [], limits: { cpuPercent: 80 } },
  })
})

test('unknown limits, actions and members of namespaces are named with the nearest', async (t) => {
  const written = `limits: { memry: 64MiB }
on_limit: { cpu_percent: warn, memori: warn }
providers: { slow: { limits: { openfiles: 64 } } }
per_plugin: { slow: { on_limits: {} } }
namespaces: { a: { plugins: ["*"], limits: { stall: 1s, timeot: 3s } } }`
  assert.deepEqual(await problemsOf(t, written), [
    '2:13: plugins.limits.memry: unknown key; did you mean "memory"?',
    '3:15: plugins.on_limit.cpu_percent: unknown key; known are memory, cpu, processes, open_files, file_size, tmp, data, concurrency, time, stall, message, state, output',
    '3:34: plugins.on_limit.memori: unknown key; did you mean "memory"?',
    '4:34: plugins.providers.slow.limits.openfiles: unknown key; did you mean "open_files"?',
    '5:25: plugins.per_plugin.slow.on_limits: unknown key; did you mean "on_limit"?',
    '6:48: plugins.namespaces.a.limits.stall: unknown key; known are memory, cpu_percent, processes, open_files, concurrency, timeout',
    '6:59: plugins.namespaces.a.limits.timeot: unknown key; did you mean "timeout"?',
  ])
})

for (const [key, wrong, message] of [
  ['memory', '64', /a size with a unit, such as "256MiB", of at least 32MiB/],
  ['memory', '64mb', /a size with a unit/],
  ['memory', '1MiB', /at least 32MiB/],
  ['cpu_percent', '0', /whole number of at least 1/],
  ['processes', '4', /at least 16, which is what Node needs for itself/],
  ['open_files', '16', /at least 24, which is what Node needs for itself/],
  ['data', '-1GiB', /a size with a unit/],
  ['tmp', '0B', /at least 1MiB/],
  ['timeout', '30', /a duration with a unit/],
  ['timeout', '0s', /at least 1ms/],
  ['stall', 'soon', /a duration with a unit/],
  ['concurrency', '1.5', /whole number of at least 1/],
] as const) {
  test(`a limit of ${key} that is ${wrong} is a problem with its place`, async (t) => {
    const [first = '', ...more] = await problemsOf(t, `limits:\n  ${key}: ${wrong}`)
    assert.ok(first.startsWith(`3:5: plugins.limits.${key}: must be `), first)
    assert.match(first, message)
    assert.deepEqual(more, [])
  })
}

test('an action that there is not, and groups that hold nothing or bare names, are problems with their places', async (t) => {
  assert.deepEqual(await problemsOf(t, 'on_limit: { memory: kill }'), [
    '2:15: plugins.on_limit.memory: must be warn, refuse, restart or quarantine',
  ])
  assert.deepEqual(await problemsOf(t, 'namespaces:\n  a: {}\n  b: { plugins: [slow] }\n  default: { plugins: ["*"] }'), [
    '3:5: plugins.namespaces.a: names no plugins',
    '4:20: plugins.namespaces.b.plugins[0]: must be publisher/name, publisher/* or *',
    '5:5: plugins.namespaces.default: default holds what no group names; leave plugins out',
  ])
})
