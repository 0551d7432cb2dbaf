import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gpuDetected, gpuHandler, preVmStart, type VmConfig } from '@exliar-vfio/points'
import {
  openPlugin,
  sampleGpu,
  sampleSystem,
  sampleVmConfig,
  sampleVmDevice,
  type OpenedPlugin,
  type OpenPluginOptions,
} from '@exliar-vfio/points/testing'
import plugin from './index.ts'

const settings = { when: 'auto', vendor_id: '123456789ab', guest_drivers: {} }
const open = (config: object = {}, options: OpenPluginOptions = {}): Promise<OpenedPlugin> =>
  openPlugin(plugin, { config: { ...settings, ...config }, ...options })
const start = (opened: OpenedPlugin, config: VmConfig = sampleVmConfig()): Promise<unknown> =>
  opened.handle(preVmStart, 'code-43', config)
const hidden = { kvm_hidden: true, hypervisor_hidden: true, hyperv_vendor_id: '123456789ab' }
const professional = sampleGpu({ capabilities: { ...sampleGpu().capabilities, needs_code_43_workaround: false } })
const asked = (gpu = sampleGpu()): { gpu: typeof gpu; system: ReturnType<typeof sampleSystem> } => ({
  gpu,
  system: sampleSystem(),
})

test('a card that is known to refuse gets KVM hidden, the flag taken away and another vendor id, and nothing else changes', async () => {
  const opened = await open()
  await opened.handle(gpuDetected, 'remember', sampleGpu())
  assert.equal(opened.state.get('gpu_0000:01:00.0_code_43_vulnerable'), true)
  assert.deepEqual(await start(opened), { ...sampleVmConfig(), features: hidden })
  assert.ok(opened.lines.some(({ message }) => message === 'Applied NVIDIA Code 43 workarounds for GPU 0000:01:00.0'))
})

test('a card that nobody has looked at yet is treated as one that refuses', async () => {
  assert.deepEqual(await start(await open()), { ...sampleVmConfig(), features: hidden })
})

test('a card that is known to work is left as it is, unless it is asked for', async () => {
  const opened = await open()
  await opened.handle(gpuDetected, 'remember', professional)
  assert.equal(await start(opened), undefined)
  const always = await open({ when: 'always' }, { state: opened.state })
  assert.deepEqual(await start(always), { ...sampleVmConfig(), features: hidden })
  assert.equal(await start(await open({ when: 'never' })), undefined)
})

test('a driver from 465 on needs nothing, an older one does, and only in the guest it was named for', async () => {
  const opened = await open({ guest_drivers: { win11: '465.89', win7: '391.35' } })
  assert.equal(await start(opened), undefined)
  for (const name of ['win7', 'other', 'constructor']) {
    const config = sampleVmConfig({ name })
    assert.deepEqual(await start(opened, config), { ...config, features: hidden })
  }
})

test('a vendor id somebody has set stays, and what is hidden already is not said to be changed', async () => {
  const opened = await open()
  const own = sampleVmConfig({ features: { kvm_hidden: true, hypervisor_hidden: false, hyperv_vendor_id: 'AuthenticAMD' } })
  assert.deepEqual(await start(opened, own), { ...own, features: { ...hidden, hyperv_vendor_id: 'AuthenticAMD' } })
  assert.deepEqual(opened.emitted.at(-1), {
    point: 'exliar.plugin-event',
    value: { type: 'gpu_optimization', payload: { gpu_id: '0000:01:00.0', optimizations: ['hypervisor_hidden'] } },
  })
  assert.equal(await start(opened, sampleVmConfig({ features: hidden })), undefined)
  assert.equal(opened.emitted.length, 1)
})

test('every card is looked at by itself, and each is told of', async () => {
  const second = sampleVmDevice({ bdf: '0000:02:00.0' })
  const opened = await open()
  await opened.handle(gpuDetected, 'remember', professional)
  const config = sampleVmConfig({ devices: [sampleVmDevice(), second] })
  assert.deepEqual(await start(opened, config), { ...config, features: hidden })
  assert.deepEqual(
    opened.emitted.map(({ value }) => Object(value).payload.gpu_id),
    ['0000:02:00.0'],
  )
})

test('cards of other makers, and parts of a card that draw nothing, change nothing', async () => {
  const opened = await open({ when: 'always' })
  const radeon = sampleVmDevice({ vendor_id: '1002', device_id: '731f' })
  const sound = sampleVmDevice({ is_gpu: false })
  assert.equal(await start(opened, sampleVmConfig({ devices: [radeon, sound] })), undefined)
  assert.equal(await start(opened, sampleVmConfig({ devices: [] })), undefined)
  await opened.handle(gpuDetected, 'remember', sampleGpu({ vendor_id: '1002', vendor: 'amd' }))
  assert.deepEqual([...opened.state.keys(), ...opened.emitted], [])
})

test('a machine starts also when other plugins cannot be told', async () => {
  const opened = await open({}, { onEmit: () => assert.fail('nobody listens well') })
  assert.deepEqual(await start(opened), { ...sampleVmConfig(), features: hidden })
  assert.ok(opened.lines.some(({ level, message }) => level === 'warn' && message === 'other plugins were not told'))
})

test('the handler knows the maker by its id and proposes the settings people can paste', async () => {
  const handler = (await open({ vendor_id: 'whatever' })).provider(gpuHandler, 'nvidia')
  assert.equal(await handler.supportsDevice(asked()), true)
  const [quirk, ...others] = await handler.applyQuirks(asked())
  assert.deepEqual(others, [])
  assert.match(quirk?.xml_snippet ?? '', /<vendor_id state='on' value='whatever'\/>[^]*<hidden state='on'\/>/)
  assert.equal(quirk?.command_line_option, '-cpu host,kvm=off,hv_vendor_id=whatever')
  assert.deepEqual(await handler.applyQuirks(asked(professional)), [])
})

test('a card of another maker is nobody’s here, whatever it is called', async () => {
  const handler = (await open({ when: 'always' })).provider(gpuHandler, 'nvidia')
  const disguised = sampleGpu({ vendor_id: '1002', vendor: 'nvidia', model_name: 'NVIDIA GeForce' })
  assert.equal(await handler.supportsDevice(asked(disguised)), false)
  assert.deepEqual(await handler.applyQuirks(asked(disguised)), [])
})

test('before a card is bound it is told what keeps it, and afterwards whether it was bound', async () => {
  const handler = (await open()).provider(gpuHandler, 'nvidia')
  const used = await handler.prepareForPassthrough(asked(sampleGpu({ driver: 'nvidia', boot_vga: true })))
  assert.deepEqual([used.ready, used.notes.length], [true, 2])
  assert.deepEqual(await handler.verifyPassthroughReady(asked(sampleGpu({ driver: 'vfio-pci' }))), { ready: true, notes: [] })
  const lost = await handler.verifyPassthroughReady(asked(sampleGpu({ driver: 'nouveau' })))
  assert.deepEqual(lost, { ready: false, notes: ['0000:01:00.0 is driven by nouveau, not by vfio-pci.'] })
})
