import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { development, operator, type Operator } from '../fixtures/operator.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'

const nvidia = 'two-identical-nvidia-grub-initramfs-tools'

const toml = `name = "my-plugin"
version = "0.1.0"
description = "My awesome plugin"
author = "Plugin Author"
api_version = "1.0"
permissions = ["pci:read"]

[commands]
say-hello = "Says hello"
`
const module = `export const createPlugin = () => ({
  on_gpu_detected(context, gpu) { context.logger().warn('saw ' + gpu.bdf) },
  register_commands(context, registry) { registry.register_command('say-hello', 'Says hello', (args) => ['hello', ...args].join(' ')) },
})
`

/** A folder somewhere, as somebody else gave it. */
async function given({ home }: Operator, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(home, 'downloads/my-plugin')
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

/** Signatures are not asked for here; approvals are. */
const unsigned = '[plugins]\ntrust_policy = "policy.json"\nisolation = "process"\n'

async function withPolicy(made: Operator): Promise<void> {
  await made.configure(unsigned)
  await writeFile(join(made.home, '.config/exliar-vfio/policy.json'), '{"allowUnsigned": true}')
}

test('a plugin is added, shows what it asks for, runs once that is approved, and not while it is disabled', async (t) => {
  const made = await operator(t, nvidia)
  const { exliar, home } = made
  await withPolicy(made)
  const added = await exliar(['plugins', 'add', await given(made, { 'plugin.toml': toml, 'index.js': module })])
  assert.match(added.out, /^Copied to .*\.config\/exliar-vfio\/plugins\/my-plugin\./)
  assert.ok((await stat(join(home, '.config/exliar-vfio/plugins/my-plugin/plugin.toml'))).isFile())
  const listed = await exliar(['plugins'])
  assert.match(listed.out, /^local\/my-plugin +0\.1\.0 +\S+ .*approve/m)
  assert.notEqual((await exliar(['say-hello'])).code, 0)

  for (const args of [
    ['plugins', 'approve', 'my-plugin'],
    ['apply', '65:00'],
  ]) {
    const { err } = await exliar([...args, '--json'])
    const told = err
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly code?: string })
    assert.equal(told.at(-1)?.code, 'EXLIAR_NOBODY_TO_ASK')
  }
  const no = await exliar(['plugins', 'approve', 'my-plugin'], { answers: ['no'] })
  assert.equal(no.code, 1)
  assert.match(no.err, /^low +It may see every PCI device of this machine/m)
  assert.deepEqual(no.asked, ['Approve this for local/my-plugin 0.1.0? [y/N] '])
  const yes = await exliar(['plugins', 'approve', 'my-plugin'], { answers: ['y'] })
  assert.equal(yes.code, 0, yes.err)

  assert.equal((await exliar(['say-hello', 'you'])).out, 'hello you\n')
  assert.match((await exliar(['report'])).err, /warn: local\/my-plugin: saw 0000:65:00\.0/)
  const shown = (await exliar(['plugins', 'show', 'my-plugin', '--json'])).json()
  assert.deepEqual(shown.permissions, ['pci:read'])
  assert.deepEqual(Object.keys(shown.contributes).toSorted(), ['exliar.command', 'exliar.gpu-detected'])

  assert.equal((await exliar(['plugins', 'disable', 'my-plugin', '--reason', 'noise'])).code, 0)
  assert.match((await exliar(['plugins'])).out, /^local\/my-plugin +0\.1\.0 +disabled .*noise/m)
  assert.doesNotMatch((await exliar(['report'])).err, /my-plugin/)
  assert.equal((await exliar(['plugins', 'enable', 'my-plugin'])).code, 0)
  assert.equal((await exliar(['say-hello'])).out, 'hello\n')
  assert.notEqual((await exliar(['--safe-mode', 'say-hello'])).code, 0)
})

test('a reviewed file approves exactly what it lists, and asks nobody', async (t) => {
  const made = await operator(t, nvidia)
  const { exliar, home } = made
  await withPolicy(made)
  await exliar(['plugins', 'add', await given(made, { 'plugin.toml': toml, 'index.js': module })])
  const file = join(home, 'reviewed.json')
  const approve = async (permissions: readonly string[]): Promise<number> => {
    const approval = { permissions, by: 'ops', at: '2026-01-01T00:00:00Z' }
    await writeFile(file, JSON.stringify({ grantsVersion: 1, plugins: { 'local/my-plugin': approval } }))
    return (await exliar(['plugins', 'approve', 'my-plugin', '--grant-file', file])).code
  }
  assert.equal(await approve([]), 1)
  assert.notEqual((await exliar(['say-hello'])).code, 0)
  assert.equal(await approve(['pci:read']), 0)
  assert.equal((await exliar(['say-hello'])).out, 'hello\n')
  for (const [path, others] of [
    [join(home, 'typo.json'), {}],
    [file, { 'local/other': { permissions: ['pci:read'], by: 'ops', at: '2026-01-01T00:00:00Z' } }],
  ] as const) {
    if (path === file) await writeFile(file, JSON.stringify({ grantsVersion: 1, plugins: others }))
    const silent = await exliar(['plugins', 'approve', 'my-plugin', '--grant-file', path, '--json'])
    assert.deepEqual([silent.code, silent.error().code], [65, 'PLUGIN_NOT_REVIEWED'])
  }
  assert.equal((await exliar(['plugins', 'approve', 'my-plugin', 'pci:read', '--grant-file', file])).code, 2)
  assert.equal((await exliar(['say-hello'])).out, 'hello\n', 'what was approved before still is')
  await writeFile(file, '{}')
  const wrong = await exliar(['plugins', 'approve', 'my-plugin', '--grant-file', file, '--json'])
  assert.deepEqual([wrong.code, wrong.error().code], [65, 'GRANTS_INVALID'])
})

test('without a policy nothing runs that nobody signed, approved or not', async (t) => {
  const made = await operator(t, nvidia)
  const { exliar, configure } = made
  await configure('[plugins]\nisolation = "process"\n')
  await exliar(['plugins', 'add', await given(made, { 'plugin.toml': toml, 'index.js': module })])
  await exliar(['plugins', 'approve', 'my-plugin'], { answers: ['y'] })
  assert.match(
    (await exliar(['plugins'])).out,
    /^local\/my-plugin +0\.1\.0 +idle .*Its first use would be refused: .*nobody signed it/m,
  )
  const shown = (await exliar(['plugins', 'show', 'my-plugin', '--json'])).json()
  assert.match(shown.reason, /would be refused: .*nobody signed it/)
  const { code, error } = await exliar(['say-hello', '--json'])
  assert.equal(code, 69)
  assert.match(JSON.stringify(error()), /nobody signed it/)
})

test('what is added again takes the place of what was there, whole, and what is linked to is not followed', async (t) => {
  const made = await operator(t, nvidia)
  const { exliar, home, configure } = made
  await configure(development)
  const folder = await given(made, { 'plugin.toml': toml, 'index.js': module, 'old.txt': 'old' })
  await exliar(['plugins', 'add', folder])
  const target = join(home, '.config/exliar-vfio/plugins/my-plugin')
  await writeFile(join(folder, 'plugin.toml'), toml.replace('0.1.0', '0.2.0'))
  await symlink('/etc/passwd', join(folder, 'passwd'))
  await symlink('index.js', join(folder, 'main.js'))
  assert.equal((await exliar(['plugins', 'add', folder])).code, 0)
  assert.match(await readFile(join(target, 'plugin.toml'), 'utf8'), /0\.2\.0/)
  assert.deepEqual(
    await Promise.all(['passwd', 'main.js'].map((name) => readlink(join(target, name)))),
    ['/etc/passwd', 'index.js'],
    'links lead where they led',
  )
  assert.deepEqual(await readdir(join(target, '..')), ['my-plugin'], 'nothing else is left there')
  const hidden = join(home, 'downloads/.my-plugin')
  await mkdir(hidden)
  assert.equal((await exliar(['plugins', 'add', hidden, '--json'])).error().code, 'PLUGIN_FOLDER_NAMELESS')
  const bare = await exliar(['plugins', 'add', join(home, 'downloads')])
  assert.match(bare.err, /^PLUGIN_FOLDER_EMPTY: .*downloads holds no plugin: neither plugin\.toml nor plugin\.json is there$/m)
})

test('what cannot be copied is said, and what was there before, also before a kill in the middle, serves on', async (t) => {
  const made = await operator(t, nvidia)
  const { exliar, home, configure } = made
  await configure(development)
  const folder = await given(made, { 'plugin.toml': toml, 'index.js': module })
  await exliar(['plugins', 'add', folder])
  const plugins = join(home, '.config/exliar-vfio/plugins')
  execFileSync('mkfifo', [join(folder, 'pipe')])
  await rename(join(plugins, 'my-plugin'), join(plugins, '.my-plugin.before'))
  const { code, error } = await exliar(['plugins', 'add', folder, '--json'])
  assert.deepEqual([code, error().code], [73, 'PLUGIN_NOT_COPIED'])
  assert.match(error().message, /my-plugin cannot be copied to .*plugins\/my-plugin: ERR_FS_CP_FIFO_PIPE/)
  assert.deepEqual(await readdir(plugins), ['my-plugin'])
})

test('a plugin that the configuration names and that is not there is told, with its place and who was meant', async (t) => {
  const { exliar, configure } = await operator(t, nvidia)
  await configure(`[plugins]
deny = ["notifer", "local/not-yet-here"]
audit = ["perf-monitor"]

[plugins.config.perf-moniter]
keep_runs = 3

[plugins.config.notifier]
`)
  const { err, code } = await exliar(['plugins'])
  assert.equal(code, 0)
  assert.deepEqual(
    err.match(/^passed over: .*$/gm)?.map((line) => line.replace(/ \S*config\.toml/, ' config.toml')),
    [
      'passed over: config.toml:5:1: plugins.config names perf-moniter, and there is no such plugin; did you mean "perf-monitor"?',
      'passed over: config.toml:2:9: plugins.deny names notifer, and there is no such plugin; did you mean "notifier"?',
    ],
  )
})

test('a plugin.toml that is wrong is told with file and line, and the others serve', async (t) => {
  const { exliar, configure, dropIn } = await operator(t, nvidia)
  await configure(development)
  await dropIn('wrong', { 'plugin.toml': toml.replace('api_version = "1.0"', 'api_version = "one"'), 'index.js': module })
  const { out } = await exliar(['plugins'])
  assert.match(out, /PLUGIN_TOML_INVALID|plugin\.toml:5:1/)
  assert.equal((await exliar(['perf'])).code, 0)
})

test('a maker’s plugin that says a card is not ready keeps it from being taken, before anything is changed', async (t) => {
  const { exliar, root, configure, dropIn } = await operator(t, nvidia)
  await configure(`${development}deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n`)
  const manifest = {
    schemaVersion: 1,
    id: 'local/careful',
    version: '1.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: { 'exliar.gpu-handler': { careful: {} } },
    permissions: ['pci:read'],
  }
  const careful = `import { definePlugin } from '@backplane/sdk'
import { gpuHandler } from '@exliar-vfio/points'
export default definePlugin((scope) =>
  scope.provide(gpuHandler, 'careful', {
    supportsDevice: ({ gpu }) => gpu.bdf.startsWith('0000:65'),
    applyQuirks: () => [{ name: 'slow', description: 'It is slow', kernel_parameters: ['pcie_aspm=off'] }],
    prepareForPassthrough: () => ({ ready: false, notes: ['its firmware is from 2015.'] }),
  }))`
  await dropIn('careful', { 'plugin.json': JSON.stringify(manifest), 'index.js': careful })
  const before = treeSnapshot(root)
  const plan = (await exliar(['plan', '65:00', '--json'])).json()
  assert.match(JSON.stringify(plan.diffs), /pcie_aspm=off/)
  assert.ok(plan.steps.some(({ cause }: { cause: object | null }) => JSON.stringify(cause)?.includes('local/careful')))
  const refused = await exliar(['apply', '65:00', '--yes', '--json'])
  const { code, plugin, message } = refused.error()
  assert.deepEqual([refused.code, code, plugin], [77, 'CARD_NOT_READY', 'local/careful'])
  assert.match(message, /0000:65:00\.0 is not ready: its firmware is from 2015/)
  assert.deepEqual(treeSnapshot(root), before)
  assert.doesNotMatch(JSON.stringify((await exliar(['plan', '17:00', '--allow-boot-screen', '--json'])).json()), /pcie_aspm/)
})
