import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { GpuDevice, type SystemInfo } from '@exliar-vfio/points'
import { madeTree } from '../fixtures/materialise.ts'
import { pciFunctions, type PciFunctionSample } from '../fixtures/pci-function.ts'
import { sampleTree, sampleTrees } from '../fixtures/sample-tree.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { describeMachine } from './describe-machine.ts'
import { detectGpus } from './detect-gpus.ts'
import { bundledGpuDatabase } from './gpu-database.ts'
import { readDevices } from './read-devices.ts'

type Surroundings = Pick<SystemInfo, 'iommu' | 'virtualization_enabled'>

const on: Surroundings = { iommu: { state: 'on', groups: 9, reason: 'the kernel made 9 groups' }, virtualization_enabled: true }
const below = ['0000:00:01.0']
/** Shows this machine's picture, so that others need not. */
const console = {
  bdf: '0000:09:00.0',
  below: ['0000:00:09.0'],
  id: '1a03:2000',
  class: '030000',
  driver: 'ast',
  group: 9,
  bootVga: true,
}
const card = { bdf: '0000:01:00.0', below, id: '10de:2684', class: '030000', group: 1, driver: 'nvidia' } as const
const sound = { bdf: '0000:01:00.1', below, id: '10de:22ba', class: '040300', group: 1, driver: 'snd_hda_intel' } as const
const bridge = { bdf: '0000:00:01.0', id: '8086:460d', class: '060400', group: 1, driver: 'pcieport' } as const
const disk = { bdf: '0000:02:00.0', below, id: '144d:a808', class: '010802', group: 1, driver: 'nvme' } as const

async function gpu(t: TestContext, samples: readonly PciFunctionSample[], system: Surroundings = on): Promise<GpuDevice> {
  const devices = readDevices(MachineTree.open(await madeTree(t, pciFunctions(samples))))
  const found = detectGpus(devices, system, bundledGpuDatabase()).find(({ bdf }) => bdf.includes(':01:00.0'))
  assert.ok(found)
  return found
}

function verdict({ assessment }: GpuDevice): string {
  return `${assessment.verdict}: ${assessment.reasons[0]}`
}

function gpusOf(name: (typeof sampleTrees)[number]): ReadonlyMap<string, GpuDevice> {
  return new Map(describeMachine(MachineTree.open(sampleTree(name))).gpus.map((found) => [found.bdf, found]))
}

test('every adapter of the sample machines is as the contract says, with a reason', () => {
  for (const name of sampleTrees) {
    for (const found of gpusOf(name).values()) assert.deepEqual(GpuDevice.parse(found), found)
  }
})

test('two identical cards are two cards, each with its own sound, USB and USB-C functions (E6)', () => {
  const gpus = gpusOf('two-identical-nvidia-grub-initramfs-tools')
  assert.deepEqual([...gpus.keys()], ['0000:17:00.0', '0000:65:00.0'])
  const [first, second] = [...gpus.values()]
  assert.equal(first?.device_id, second?.device_id)
  assert.deepEqual(first?.functions, ['0000:17:00.1', '0000:17:00.2', '0000:17:00.3'])
  assert.deepEqual(second?.functions, ['0000:65:00.1', '0000:65:00.2', '0000:65:00.3'])
  assert.equal(first?.assessment.verdict, 'risky')
  assert.match(first?.assessment.reasons[0] ?? '', /boot GPU/)
  assert.equal(second?.assessment.verdict, 'needs-changes')
  assert.match(second?.assessment.reasons[0] ?? '', /0000:65:00.3 is driven by nvidia-gpu/)
})

test('a sound function in another group goes with its card, and the report says so', () => {
  const found = gpusOf('amd-systemd-boot-mkinitcpio').get('0000:03:00.0')
  assert.deepEqual(found?.functions, ['0000:03:00.1'])
  assert.deepEqual(found?.foreign, [])
  assert.ok(
    found?.assessment.reasons.includes('It is in group 15, but 0000:03:00.1 (Audio device) in 16: the groups go together.'),
  )
})

test('a card in a domain of five digits is as good as any', () => {
  const found = gpusOf('fedora-grub-dracut-sriov').get('10000:b3:00.0')
  assert.deepEqual([found?.driver, found?.iommu_group, found?.functions], ['nouveau', 72, ['10000:b3:00.1']])
  assert.equal(found?.assessment.verdict, 'needs-changes')
})

test('a physical function that serves virtual ones stays; each virtual one goes alone', () => {
  const gpus = gpusOf('fedora-grub-dracut-sriov')
  const physical = gpus.get('0000:4d:00.0')
  assert.equal(physical?.assessment.verdict, 'no')
  assert.match(physical?.assessment.reasons[0] ?? '', /0000:4d:00.1, 0000:4d:00.2/)
  assert.deepEqual(physical?.functions, [])
  const [free, bound] = [gpus.get('0000:4d:00.1'), gpus.get('0000:4d:00.2')]
  assert.deepEqual([free?.assessment.verdict, free?.functions, free?.foreign], ['needs-changes', [], []])
  assert.equal(bound?.assessment.verdict, 'ready')
})

test('a group with a disk of this machine is a risk, and the disk is named', () => {
  const found = gpusOf('fedora-grub-dracut-sriov').get('0000:65:00.0')
  assert.deepEqual(found?.foreign, ['0000:66:00.0'])
  assert.equal(found?.capabilities.requires_acs_override, true)
  assert.equal(found?.assessment.verdict, 'risky')
  assert.match(found?.assessment.reasons[0] ?? '', /0000:66:00.0 \(Non-Volatile memory controller\), driven by nvme/)
})

test('a card that is bound with all its functions is ready', () => {
  const gpus = gpusOf('limine-booster')
  assert.equal(gpus.get('0000:0b:00.0')?.assessment.verdict, 'ready')
  assert.equal(gpus.get('0000:0b:00.0')?.driver, 'vfio-pci')
  assert.match(verdict(gpus.get('0000:0a:00.0') as GpuDevice), /^risky: It is the boot GPU and the only one/)
})

test('where the IOMMU is off, groups are not known and a change is needed first', () => {
  const found = gpusOf('popos-kernelstub').get('0000:01:00.0') as GpuDevice
  assert.equal(found.iommu_group, null)
  assert.match(verdict(found), /^needs-changes: The IOMMU is off: the kernel was started without intel_iommu=on/)
})

test('without an IOMMU or virtualisation nothing can be passed through', async (t) => {
  const absent: Surroundings = { ...on, iommu: { state: 'absent', groups: 0, reason: 'the firmware describes none' } }
  assert.match(verdict(await gpu(t, [card, console], absent)), /^no: This machine has no IOMMU: the firmware describes none\./)
  assert.match(verdict(await gpu(t, [card, console], { ...on, virtualization_enabled: false })), /^no: The processor’s virtual/)
  const { group: _, ...without } = card
  assert.match(verdict(await gpu(t, [without, console])), /^no: The IOMMU does not cover it/)
  const unknown: Surroundings = { ...on, iommu: { state: 'unknown', groups: 0, reason: 'nothing is to be seen' } }
  assert.match(verdict(await gpu(t, [without, console], unknown)), /^risky: Whether this machine has an IOMMU/)
})

test('bridges of a group are nobody’s, other endpoints are', async (t) => {
  assert.match(verdict(await gpu(t, [card, sound, bridge, console])), /^needs-changes: /)
  const shared = await gpu(t, [card, sound, bridge, disk, console])
  assert.deepEqual(shared.foreign, ['0000:02:00.0'])
  assert.match(verdict(shared), /^risky: .* 0000:02:00.0/)
})

test('an endpoint of the group that this machine does not use is no risk', async (t) => {
  const freed = await gpu(t, [card, sound, { ...disk, driver: 'vfio-pci' }, console])
  assert.equal(freed.assessment.verdict, 'needs-changes')
  assert.equal(freed.capabilities.requires_acs_override, true)
})

test('endpoints in the group of a card’s sound function count too', async (t) => {
  const found = await gpu(t, [card, { ...sound, group: 2 }, { ...disk, group: 2 }, console])
  assert.deepEqual(found.foreign, ['0000:02:00.0'])
  assert.equal(found.assessment.verdict, 'risky')
})

test('a card bound without its sound function is not ready, and the function is named', async (t) => {
  const found = await gpu(t, [{ ...card, driver: 'vfio-pci' }, sound, console])
  assert.equal(verdict(found), 'needs-changes: To be bound to vfio-pci: 0000:01:00.1 is driven by snd_hda_intel.')
})

test('a card without driver says so, and what was asked for without effect', async (t) => {
  const { driver: _, ...bare } = card
  assert.equal(verdict(await gpu(t, [bare, console])), 'needs-changes: To be bound to vfio-pci: 0000:01:00.0 has no driver.')
  const asked = await gpu(t, [{ ...bare, driverOverride: 'vfio-pci' }, console])
  assert.match(verdict(asked), /0000:01:00.0 has no driver, although vfio-pci is asked for/)
})

test('the only card is a risk for the picture, unless it is bound already or shows none', async (t) => {
  assert.match(verdict(await gpu(t, [card])), /^risky: It is the only GPU/)
  assert.match(verdict(await gpu(t, [{ ...card, bootVga: true }])), /^risky: It is the boot GPU and the only one/)
  assert.match(verdict(await gpu(t, [{ ...card, driver: 'vfio-pci', bootVga: true }])), /^ready: /)
  assert.match(verdict(await gpu(t, [{ ...card, class: '030200' }])), /^needs-changes: /)
  const otherBound = { ...console, bootVga: false, driver: 'vfio-pci' }
  assert.match(verdict(await gpu(t, [card, otherBound])), /^risky: It is the only GPU/)
})

test('a model that resets badly is a risk until a module resets it', async (t) => {
  const navi = { ...card, id: '1002:731f', driver: 'amdgpu', resetMethod: 'bus' }
  const found = await gpu(t, [navi, console])
  assert.match(verdict(found), /^risky: Its model resets badly.* vendor-reset/)
  assert.deepEqual([found.capabilities.has_reset_bug, found.quirks], [true, ['vendor-reset']])
  const mended = await gpu(t, [{ ...navi, resetMethod: 'device_specific bus' }, console])
  assert.equal(mended.assessment.verdict, 'needs-changes')
})

test('a function that nothing can reset is a risk; a bridge above it can', async (t) => {
  const { below: _, ...onRootBus } = { ...card, bdf: '0000:01:00.0' }
  const found = await gpu(t, [onRootBus, console])
  assert.match(verdict(found), /^risky: The kernel has no way to reset it/)
  assert.equal(found.capabilities.supports_reset, false)
  assert.equal((await gpu(t, [card, console])).capabilities.supports_reset, true)
})

test('graphics of the processor are a risk, and its other functions are not the card’s', async (t) => {
  const found = gpusOf('amd-systemd-boot-mkinitcpio').get('0000:0e:00.0')
  assert.equal(found?.is_integrated, true)
  assert.deepEqual(found?.functions, ['0000:0e:00.1'])
  assert.equal(found?.capabilities.supports_vbios_loading, false)
  const keyboard = { bdf: '0000:01:00.3', below, id: '1022:15b6', class: '0c0330', group: 3, driver: 'xhci_hcd' }
  const unknown = await gpu(t, [{ ...card, id: '1002:fffe' }, keyboard, console])
  assert.deepEqual([unknown.is_integrated, unknown.functions, unknown.family], [true, [], null])
})

test('Intel graphics on the root bus are the processor’s, and GVT-g is offered where there is one', async (t) => {
  const { below: _, ...onRootBus } = card
  const found = await gpu(t, [{ ...onRootBus, id: '8086:3e92', resetMethod: 'flr' }, console])
  assert.match(verdict(found), /^risky: It is part of the processor.* GVT-g/)
  assert.equal((await gpu(t, [{ ...onRootBus, id: '8086:fffe' }, console])).is_integrated, true)
  assert.equal((await gpu(t, [{ ...card, id: '8086:fffe' }, console])).is_integrated, false)
})

test('the vendor is the id’s, whatever the names say (E1)', async (t) => {
  const list = { '/usr/share/misc/pci.ids': '1234  NVIDIA GeForce Radeon Intel\n\t1111  GeForce RTX [Radeon]\n' }
  const tree = MachineTree.open(await madeTree(t, pciFunctions([{ ...card, id: '1234:1111' }]), list))
  const [found] = detectGpus(readDevices(tree), on, bundledGpuDatabase())
  assert.deepEqual([found?.vendor, found?.model_name, found?.capabilities.has_reset_bug], ['other', 'Radeon', false])
})

test('memory is told by AMD’s driver, in MB, and otherwise not known', () => {
  assert.equal(gpusOf('amd-systemd-boot-mkinitcpio').get('0000:03:00.0')?.vram_size, 8176)
  assert.equal(gpusOf('popos-kernelstub').get('0000:01:00.0')?.vram_size, null)
})

test('a name that nobody knows is the id', async (t) => {
  assert.equal((await gpu(t, [{ ...card, id: '10de:ffff' }, console])).model_name, '10de:ffff')
})
