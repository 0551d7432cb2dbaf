import assert from 'node:assert/strict'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KernelLogLine } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { gpuDetected, systemDetected } from '@exliar-vfio/points'
import { sampleGpu, sampleSystem } from '@exliar-vfio/points/testing'
import { loadConfig } from '../../apps/exliar-vfio/host/src/config/load-config.ts'
import { servicesOf } from '../../apps/exliar-vfio/host/src/fixtures/services-of.ts'
import { exliarKernel, type ExliarKernel } from '../../apps/exliar-vfio/host/src/plugins/exliar-kernel.ts'

/** Exliar's own kernel, with the folder where a person copies plugins to; what the example wrote is in `said`. */
async function installed(t: TestContext, config: string): Promise<ExliarKernel & { readonly said: string[] }> {
  const root = await temporaryDirectory(t)
  const home = join(root, '.config/exliar-vfio')
  await mkdir(home, { recursive: true })
  await cp(`${import.meta.dirname}/example-plugin`, join(home, 'plugins/example-plugin'), { recursive: true })
  await writeFile(join(home, 'config.toml'), `[plugins]\ndevelopment = true\nisolation = "process"\n${config}`)
  const said: string[] = []
  const write = ({ plugin, message }: KernelLogLine): void => void (plugin === 'local/example-plugin' && said.push(message))
  const made = await exliarKernel({
    config: await loadConfig(join(home, 'config.toml'), {}),
    services: servicesOf({}),
    stateDirectory: join(root, 'state'),
    log: { write },
    env: { HOME: root },
  })
  t.after(() => made[Symbol.asyncDispose]())
  return { ...made, said, [Symbol.asyncDispose]: () => made[Symbol.asyncDispose]() }
}

test('the smallest plugin is found, loaded beside the plugin it needs, and told of system and cards', async (t) => {
  const { kernel, said } = await installed(t, '')
  assert.equal(kernel.plugins.get('local/example-plugin')?.version, '0.1.0')
  await kernel.emit(systemDetected, sampleSystem())
  const { failures } = await kernel.emit(gpuDetected, sampleGpu())
  assert.deepEqual(failures, [])
  assert.deepEqual(said, ['Example plugin loaded!', 'System detected: Arch Linux', 'GPU detected: GeForce RTX 3080 (nvidia)'])
})

test('without the plugin it needs it is not loaded, and the reason names that', async (t) => {
  const { kernel, said } = await installed(t, 'deny = ["exliar/nvidia-handler"]\n')
  await kernel.emit(gpuDetected, sampleGpu())
  const { state } = kernel.plugins.get('local/example-plugin') ?? {}
  assert.equal(state?.name, 'failed')
  assert.deepEqual(said, [
    'DEPENDENCY_FAILED: local/example-plugin needs exliar/nvidia-handler, which is not usable: it is on the deny-list',
  ])
})
