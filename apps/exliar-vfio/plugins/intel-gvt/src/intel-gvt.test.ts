import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProviderHandle } from '@backplane/sdk'
import { gpuHandler, type GpuDevice, type SystemInfo } from '@exliar-vfio/points'
import { openPlugin, sampleGpu, sampleSystem } from '@exliar-vfio/points/testing'
import { generations } from './generations.ts'
import plugin from './index.ts'

const graphics = (deviceId: string, changes: Partial<GpuDevice> = {}): GpuDevice =>
  sampleGpu({ bdf: '0000:00:02.0', vendor_id: '8086', vendor: 'intel', device_id: deviceId, driver: 'i915', ...changes })
const linux = (major: number, minor: number): SystemInfo =>
  sampleSystem({ kernel_version: { major, minor, patch: 0, full_version: `${major}.${minor}.0` } })
const startedWith = (...parameters: readonly string[]): SystemInfo => sampleSystem({ kernel_parameters: [...parameters] })

async function handler(share = true): Promise<ProviderHandle<typeof gpuHandler>> {
  return (await openPlugin(plugin, { config: { share } })).provider(gpuHandler, 'intel')
}

test('the table names every id once, in lower case, as sysfs says it', () => {
  const ids = generations.flatMap((generation) => generation.ids)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[\da-f]{4}$/)
})

for (const [deviceId, name] of [
  ['1616', 'Broadwell'],
  ['1912', 'Skylake'],
  ['5912', 'Kaby Lake'],
  ['3e92', 'Coffee Lake'],
  ['9bc5', 'Comet Lake'],
] as const) {
  test(`${name} graphics are prepared for sharing with a kernel parameter and modules`, async () => {
    const [quirk, ...others] = await (await handler()).applyQuirks({ gpu: graphics(deviceId), system: linux(5, 15) })
    assert.deepEqual([quirk?.kernel_parameters, others], [['i915.enable_gvt=1'], []])
    assert.deepEqual(quirk?.kernel_modules, ['kvmgt', 'vfio_mdev'])
    assert.match(quirk?.description ?? '', new RegExp(`^${name} graphics can be shared`))
  })
}

test('from Linux 5.19 on no module is asked for that is not there any more', async () => {
  const [quirk] = await (await handler()).applyQuirks({ gpu: graphics('3e92'), system: linux(6, 1) })
  assert.deepEqual(quirk?.kernel_modules, ['kvmgt'])
})

test('newer graphics get no parameter, and are told what they have instead', async () => {
  const intel = await handler()
  const told = async (deviceId: string): Promise<string> => {
    assert.deepEqual(await intel.applyQuirks({ gpu: graphics(deviceId), system: sampleSystem() }), [])
    return (await intel.prepareForPassthrough({ gpu: graphics(deviceId), system: sampleSystem() })).notes.join(' ')
  }
  assert.match(await told('9a49'), /^Tiger Lake has no GVT-g.*SR-IOV.*as a whole/)
  assert.match(await told('4680'), /^Alder Lake has no GVT-g/)
  assert.match(await told('8a52'), /^Ice Lake has neither/)
  assert.match(await told('ffff'), /ends with Comet Lake/)
})

test('graphics of another maker are not touched, also when their device id is one of the table', async () => {
  const intel = await handler()
  const gpu = sampleGpu({ device_id: '3e92' })
  assert.equal(await intel.supportsDevice({ gpu, system: sampleSystem() }), false)
  assert.deepEqual(await intel.applyQuirks({ gpu, system: sampleSystem() }), [])
})

test('an operator who gives the graphics away as a whole is not made to share them', async () => {
  const intel = await handler(false)
  const system = sampleSystem()
  assert.deepEqual(await intel.applyQuirks({ gpu: graphics('3e92'), system }), [])
  assert.deepEqual(await intel.prepareForPassthrough({ gpu: graphics('3e92'), system }), { ready: true, notes: [] })
  assert.equal((await intel.verifyPassthroughReady({ gpu: graphics('3e92'), system })).ready, false)
  assert.equal((await intel.verifyPassthroughReady({ gpu: graphics('3e92', { driver: 'vfio-pci' }), system })).ready, true)
})

test('sharing is ready when the driver and the kernel’s parameters are as it needs them', async () => {
  const intel = await handler()
  const ask = async (system: SystemInfo, driver: string | null = 'i915'): Promise<readonly string[]> => {
    const { ready, notes } = await intel.verifyPassthroughReady({ gpu: graphics('3e92', { driver }), system })
    assert.equal(ready, notes.length === 0)
    return notes
  }
  assert.deepEqual(await ask(startedWith('quiet', 'i915.enable_gvt=1')), [])
  assert.deepEqual(await ask(startedWith('i915.enable_gvt=1', 'i915.enable_guc=3', 'i915.enable_guc=0')), [])
  assert.deepEqual(await ask(startedWith('i915.enable_gvt=1', 'i915.enable_guc=2')), [])
  assert.match((await ask(startedWith('quiet')))[0] ?? '', /without i915\.enable_gvt=1/)
  assert.match((await ask(startedWith('i915.enable_gvt=1', 'i915.enable_guc=3')))[0] ?? '', /does not work/)
  assert.match((await ask(startedWith('i915.enable_gvt=1'), null))[0] ?? '', /driven by nothing/)
  const { notes } = await intel.prepareForPassthrough({ gpu: graphics('3e92'), system: startedWith('i915.enable_guc=1') })
  assert.equal(notes.length, 2)
})
