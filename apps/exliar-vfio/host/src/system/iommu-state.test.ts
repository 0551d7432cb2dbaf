import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { detectSystem } from './detect-system.ts'

const intel = { '/proc/cpuinfo': 'vendor_id\t: GenuineIntel\n' }
const amd = { '/proc/cpuinfo': 'vendor_id\t: AuthenticAMD\n' }
const dmar = { '/sys/firmware/acpi/tables/DMAR': 'DMAR' }
const ivrs = { '/sys/firmware/acpi/tables/IVRS': 'IVRS' }

async function iommu(t: TestContext, ...descriptions: readonly TreeDescription[]) {
  return detectSystem(MachineTree.open(await madeTree(t, ...descriptions))).iommu
}

test('groups mean that it is on, also where nobody asked for it', async (t) => {
  const groups = { '/sys/kernel/iommu_groups/0/devices/': '', '/sys/kernel/iommu_groups/1/devices/': '' }
  assert.deepEqual(await iommu(t, intel, dmar, groups), { state: 'on', groups: 2, reason: 'the kernel made 2 groups' })
})

test('groups of the unsafe mode separate nothing', async (t) => {
  const unsafe = { '/sys/kernel/iommu_groups/0/name': 'vfio-noiommu\n' }
  assert.equal((await iommu(t, intel, dmar, unsafe)).state, 'off')
})

test('a table of the firmware without groups means off, and why', async (t) => {
  const off = async (cpu: TreeDescription, table: TreeDescription, line: string) => {
    const { state, reason } = await iommu(t, cpu, table, { '/proc/cmdline': line })
    return `${state}: ${reason}`
  }
  assert.equal(await off(intel, dmar, 'quiet'), 'off: the kernel was started without intel_iommu=on')
  assert.equal(await off(intel, dmar, 'intel_iommu=igfx_off'), 'off: the kernel was started without intel_iommu=on')
  assert.equal(await off(intel, dmar, 'intel_iommu=on intel_iommu=off'), 'off: the kernel was started with intel_iommu=off')
  assert.equal(await off(amd, ivrs, 'amd_iommu=off'), 'off: the kernel was started with amd_iommu=off')
  assert.equal(await off(amd, ivrs, 'quiet'), 'off: the firmware describes one, but the kernel made no groups')
  assert.equal(await off(intel, dmar, 'intel_iommu=on,sm_on'), 'off: the firmware describes one, but the kernel made no groups')
})

test('tables without one for it mean that there is none, and where to look', async (t) => {
  const others = { '/sys/firmware/acpi/tables/FACP': 'FACP' }
  assert.match((await iommu(t, intel, others)).reason, /VT-d is switched off/)
  assert.match((await iommu(t, amd, others)).reason, /AMD-Vi/)
  assert.equal((await iommu(t, amd, others)).state, 'absent')
})
