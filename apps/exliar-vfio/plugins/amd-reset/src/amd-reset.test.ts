import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gpuHandler, type GpuDevice, type SystemInfo } from '@exliar-vfio/points'
import { openPlugin, sampleGpu, samplePciDevice, sampleSystem } from '@exliar-vfio/points/testing'
import type { ProviderHandle } from '@backplane/sdk'
import plugin from './index.ts'
import { resetMatrix } from './reset-matrix.ts'

const radeon = (deviceId: string, changes: Partial<GpuDevice> = {}): GpuDevice =>
  sampleGpu({ vendor_id: '1002', vendor: 'amd', device_id: deviceId, model_name: 'Radeon', driver: 'vfio-pci', ...changes })
const linux = (major: number, minor: number): SystemInfo =>
  sampleSystem({ kernel_version: { major, minor, patch: 0, full_version: `${major}.${minor}.0` } })

async function handler(methods: readonly string[] = []): Promise<ProviderHandle<typeof gpuHandler>> {
  const get = ({ bdf }: { bdf: string }): object => samplePciDevice({ bdf, vendor_id: '1002', reset_methods: [...methods] })
  const opened = await openPlugin(plugin, { services: { 'exliar.devices': { get } } })
  return opened.provider(gpuHandler, 'amd')
}

test('the matrix names every id once, in lower case, as sysfs says it', () => {
  const ids = resetMatrix.flatMap((family) => family.ids)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[\da-f]{4}$/)
})

for (const [deviceId, family] of [
  ['67df', 'Polaris 10'],
  ['687f', 'Vega 10'],
  ['66af', 'Vega 20'],
  ['731f', 'Navi 10'],
  ['7340', 'Navi 14'],
] as const) {
  test(`a ${family} card needs vendor-reset, and the plan carries the module`, async () => {
    const [quirk, ...others] = await (await handler()).applyQuirks({ gpu: radeon(deviceId), system: sampleSystem() })
    assert.deepEqual([quirk?.kernel_modules, quirk?.kernel_parameters, others], [['vendor-reset'], [], []])
    assert.match(quirk?.description ?? '', new RegExp(`^${family} cards`))
    assert.match(quirk?.description ?? '', /echo device_specific > \/sys\/bus\/pci\/devices\/0000:01:00\.0\/reset_method/)
  })
}

test('before Linux 5.15 nobody is told to write to a file that is not there', async () => {
  const amd = await handler()
  const [old] = await amd.applyQuirks({ gpu: radeon('731f'), system: linux(5, 14) })
  assert.doesNotMatch(old?.description ?? '', /reset_method/)
  const [first] = await amd.applyQuirks({ gpu: radeon('731f'), system: linux(5, 15) })
  assert.match(first?.description ?? '', /reset_method/)
})

test('newer, older and unknown cards get no module that does not know them', async () => {
  const amd = await handler()
  for (const deviceId of ['73bf', '744c', '747e', '67b0', '7300', 'ffff']) {
    assert.deepEqual(await amd.applyQuirks({ gpu: radeon(deviceId), system: sampleSystem() }), [], deviceId)
  }
})

test('a card of another maker is not touched, also when its device id is one of the matrix', async () => {
  const amd = await handler()
  const gpu = sampleGpu({ device_id: '731f' })
  assert.equal(await amd.supportsDevice({ gpu, system: sampleSystem() }), false)
  assert.deepEqual(await amd.applyQuirks({ gpu, system: sampleSystem() }), [])
})

test('what to expect is said before a card is bound', async () => {
  const amd = await handler()
  const system = sampleSystem({ cpu_vendor: 'intel', secure_boot_enabled: true })
  const said = async (deviceId: string, on = system): Promise<string> =>
    (await amd.prepareForPassthrough({ gpu: radeon(deviceId), system: on })).notes.join(' ')
  assert.match(await said('687f'), /Vega 10 .*needs the module vendor-reset.*must be signed/)
  assert.match(await said('66af'), /cannot always reset it/)
  assert.match(await said('744c'), /Navi 31 .*vendor-reset does not know it/)
  assert.match(await said('67b0'), /Hawaii .*cannot be reset/)
  assert.equal(await said('73df'), '')
  assert.match(await said('687f', sampleSystem()), /AGESA/)
  const known = radeon('ffff', { capabilities: { ...sampleGpu().capabilities, has_reset_bug: true } })
  assert.match((await amd.prepareForPassthrough({ gpu: known, system })).notes.join(' '), /not in the matrix/)
})

test('a card that needs vendor-reset is ready when the kernel would use its method first', async () => {
  const ask = async (methods: readonly string[], system = sampleSystem()): Promise<{ ready: boolean; notes: string[] }> =>
    (await handler(methods)).verifyPassthroughReady({ gpu: radeon('731f'), system })
  assert.deepEqual(await ask(['device_specific', 'bus']), { ready: true, notes: [] })
  const second = await ask(['bus', 'device_specific'])
  assert.equal(second.ready, false)
  assert.match(second.notes[0] ?? '', /would reset it by bus/)
  assert.match((await ask([])).notes[0] ?? '', /cannot reset it at all/)
  assert.equal((await ask([], linux(5, 10))).ready, true)
})

test('any other card is ready when the kernel has a way to reset it, and it is bound', async () => {
  const ask = async (gpu: GpuDevice, ...methods: string[]): Promise<boolean> =>
    (await (await handler(methods)).verifyPassthroughReady({ gpu, system: sampleSystem() })).ready
  assert.equal(await ask(radeon('73bf'), 'flr'), true)
  assert.equal(await ask(radeon('ffff'), 'bus'), true)
  assert.equal(await ask(radeon('73bf')), false)
  assert.equal(await ask(radeon('73bf', { driver: 'amdgpu' }), 'flr'), false)
  assert.equal(await ask(radeon('731f', { driver: null }), 'device_specific'), false)
})
