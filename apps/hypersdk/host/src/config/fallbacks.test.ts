import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { pluginSettings } from '../providers/plugin-settings.ts'
import type { HostConfig } from './host-config.ts'
import { loadConfig } from './load-config.ts'
import { declaredManifest } from '../fixtures/declared-manifest.ts'

async function load(t: TestContext, text: string): Promise<HostConfig> {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'config.yaml'), text)
  return loadConfig('config.yaml', {}, { env: { HOME: directory }, uid: 1000, cwd: directory })
}

async function problemsOf(t: TestContext, text: string): Promise<readonly string[]> {
  try {
    await load(t, text)
  } catch (error) {
    assert.ok(error instanceof PlatformError)
    const lines = (error.details?.['lines'] ?? []) as readonly string[]
    return lines.map((line) => line.replace(/^[^:]*:/, ''))
  }
  return []
}

test('fallbacks are kept in their order', async (t) => {
  const { plugins } = await load(t, 'plugins: { fallbacks: { libvirt: [disk-images, spare] } }')
  assert.deepEqual([...plugins.fallbacks], [['libvirt', ['disk-images', 'spare']]])
  assert.equal((await load(t, 'log_level: info')).plugins.fallbacks.size, 0)
})

test('a fallback that names itself, one twice, or none is refused with its place', async (t) => {
  const text = 'plugins:\n  fallbacks:\n    a: [b, a]\n    c: [d, d]\n    e: []\n    f: g\n'
  const formed = await problemsOf(t, text)
  assert.match(formed.join('\n'), /plugins\.fallbacks\.e: names no provider types/)
  assert.match(formed.join('\n'), /plugins\.fallbacks\.f: /)
  assert.deepEqual(await problemsOf(t, text.replace(/ +e: .*\n +f: .*\n/, '')), [
    '3:12: plugins.fallbacks.a[1]: is the type itself',
    '4:12: plugins.fallbacks.c[1]: is named twice',
  ])
})

test('a fallback sees the instances it may be opened with among the places of its permissions, another plugin does not', async (t) => {
  const config = await load(
    t,
    'plugins: { fallbacks: { slow: [spare] } }\nproviders: { slow: { metadata: { directory: /data } }, own: { type: other } }',
  )
  const of = (type: string): readonly string[] => {
    const { variables } = pluginSettings(config, {})(`acme/${type}`, declaredManifest(`acme/${type}`, [type]))
    return Object.keys(variables?.['instances'] ?? {})
  }
  assert.deepEqual([of('slow'), of('spare'), of('other')], [['slow'], ['slow'], ['own']])
})
