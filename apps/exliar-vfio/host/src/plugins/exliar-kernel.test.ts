import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { command, metricsService, systemDetected, type SystemInfo } from '@exliar-vfio/points'
import { loadConfig } from '../config/load-config.ts'
import { servicesOf } from '../fixtures/services-of.ts'
import { domainSamples } from '../lifecycle/domain-samples.ts'
import { exliarKernel, type ExliarKernel } from './exliar-kernel.ts'

const system: SystemInfo = {
  bootloader: 'grub',
  kernel_version: null,
  kernel_parameters: [],
  cpu_vendor: 'amd',
  cpu_model: 'a processor',
  virtualization_enabled: true,
  iommu: { state: 'on', groups: 1, reason: 'groups are there' },
  init_system: 'systemd',
  initramfs_system: 'dracut',
  secure_boot_enabled: null,
  distribution: null,
}

/** The seed's own example, as near as JavaScript comes. Source: seed 004, "Creating a Basic Plugin". */
const example = `
class ExamplePlugin {
  onLoad(context) {
    context.logger().info('Example plugin loaded!')
    context.set('feature_enabled', context.config().get_section('example-plugin').get_bool('feature_enabled') ?? false)
  }
  on_system_detected(context, system) {
    context.logger().info('System detected: ' + system.bootloader)
    context.set('bootloader', system.bootloader)
  }
  register_commands(context, registry) {
    registry.register_command('say-hello', 'Says hello', (args, ctx) =>
      ['hello', ...args, ctx.get('bootloader'), String(ctx.get('feature_enabled'))].join(' '))
  }
}
export const createPlugin = () => new ExamplePlugin()
`
const toml = `
name = "example-plugin"
version = "0.1.0"
description = "An example plugin"
author = "Example Author"
api_version = "1.0"

[commands]
say-hello = "Says hello"

[config]
feature_enabled = { type = "boolean", default = false }
`

async function start(t: TestContext, files: Readonly<Record<string, string>>, config = ''): Promise<ExliarKernel> {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'plugins/one'), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'plugins/one', name), text)
  const file = join(root, 'config.toml')
  await writeFile(file, `[plugins]\ndirectories = ["plugins"]\ndevelopment = true\nisolation = "process"\n${config}`)
  const made = await exliarKernel({
    config: await loadConfig(file, {}),
    services: servicesOf({ system: async () => system, metrics: domainSamples(root) }),
    stateDirectory: join(root, 'state'),
    log: { write: () => undefined },
    env: { HOME: root },
  })
  t.after(() => made[Symbol.asyncDispose]())
  return made
}

test("the seed's own example is loaded from its plugin.toml, hears of the system and serves its command", async (t) => {
  const { kernel } = await start(
    t,
    { 'plugin.toml': toml, 'index.js': example },
    '[plugins.config.example-plugin]\nfeature_enabled = true\n',
  )
  const record = kernel.plugins.get('local/example-plugin')
  assert.equal(record?.version, '0.1.0')
  const { failures } = await kernel.emit(systemDetected, system)
  assert.deepEqual(failures, [])
  const { text } = await kernel.provider(command, 'say-hello').run({ args: ['you'] })
  assert.equal(text, 'hello you grub true')
})

test('who asks again and again for a machine that does not run keeps nobody from asking for another one', async (t) => {
  const { kernel } = await start(t, {})
  const { sample } = kernel.provider(metricsService, 'core')
  for (let times = 0; times < 7; times++) await assert.rejects(sample({ domain: 'win11' }), /the machine win11 does not run/)
})

test('a plugin of a later minor API version is not loaded, one of an earlier is', async (t) => {
  const { kernel } = await start(t, { 'plugin.toml': toml.replace('"1.0"', '"1.7"'), 'index.js': example })
  const { state } = kernel.plugins.get('local/example-plugin') ?? {}
  assert.match(JSON.stringify(state), /1\.7/)
  assert.notEqual(state?.name, 'idle')
})

test('a command that is registered and stands nowhere in plugin.toml is told with where it belongs', async (t) => {
  const { kernel } = await start(t, { 'plugin.toml': toml.replace('say-hello', 'say-bye'), 'index.js': example })
  const { failures } = await kernel.emit(systemDetected, system)
  assert.match(
    JSON.stringify(failures),
    /the command say-hello is registered and not declared: add it to \[commands\] in plugin\.toml/,
  )
})

test('a hook that takes a permission is refused to a plugin that does not ask for it', async (t) => {
  const greedy = example.replace('on_system_detected', 'on_gpu_detected')
  const { kernel } = await start(t, { 'plugin.toml': toml, 'index.js': greedy })
  assert.match(JSON.stringify(kernel.plugins.get('local/example-plugin')?.state), /pci:read/)
})

for (const [what, change, place, said] of [
  ['an unknown key with the nearest known one', ['author', 'autor'], ':5:1', /autor is not known.*author/],
  ['a hook nobody knows', ['api_version', 'hooks = ["on_gpu_detekted"]\napi_version'], ':6:10', /on_gpu_detected/],
  ['an API version that is none', ['"1.0"', '"one"'], ':6:1', /two numbers/],
  ['a name that is missing', ['name = "example-plugin"', ''], ':1:1', /name is missing/],
  ['a name that is none', ['"example-plugin"', '"Example Plugin"'], ':2:1', /small letters, digits and hyphens/],
  ['a version that is none', ['"0.1.0"', '"0.1"'], ':3:1', /version must be three numbers such as/],
] as const) {
  test(`plugin.toml: ${what} is told with file and line, and nothing is loaded`, async (t) => {
    const { kernel } = await start(t, { 'plugin.toml': toml.replace(change[0], change[1]), 'index.js': example })
    assert.equal(kernel.plugins.get('local/example-plugin'), undefined)
    const told = JSON.stringify(kernel.plugins.list())
    assert.match(told, said)
    assert.match(told, /PLUGIN_TOML_INVALID/)
    assert.ok(told.includes(`plugin.toml${place}`), told)
  })
}
