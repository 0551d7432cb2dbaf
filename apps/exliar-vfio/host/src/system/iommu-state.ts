import type { IommuState, SystemInfo } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

const groupsPlace = '/sys/kernel/iommu_groups'
const tablesPlace = '/sys/firmware/acpi/tables'

/** Tables in which firmware describes an IOMMU: Intel's and AMD's. */
const tables = ['DMAR', 'IVRS']

/** What the state depends on beside the files. */
interface Asked {
  readonly vendor: SystemInfo['cpu_vendor']
  readonly parameters: readonly string[]
}

/** Groups prove that devices can be separated; without any, the firmware's tables tell whether they could be. */
export function iommuState(tree: MachineTree, asked: Asked): Fact<IommuState> {
  const numbers = tree.names(groupsPlace)
  // Made by VFIO's unsafe mode: they separate nothing.
  const groups = numbers.filter((number) => tree.glance(`${groupsPlace}/${number}/name`)?.trim() !== 'vfio-noiommu').length
  const unit = tree.names('/sys/class/iommu')[0]
  if (groups > 0) return { value: { state: 'on', groups, reason: `the kernel made ${groups} groups` }, evidence: groupsPlace }
  const table = tables.find((name) => tree.has(`${tablesPlace}/${name}`))
  if (table !== undefined || unit !== undefined) {
    const evidence = table === undefined ? `/sys/class/iommu/${unit}` : `${tablesPlace}/${table}`
    return { value: { state: 'off', groups, reason: whyOff(asked) }, evidence }
  }
  if (tree.names(tablesPlace).length > 0) {
    return {
      value: { state: 'absent', groups, reason: `the firmware describes none: ${inFirmware(asked.vendor)}` },
      evidence: tablesPlace,
    }
  }
  return {
    value: { state: 'unknown', groups, reason: 'neither groups nor tables of the firmware are to be seen' },
    evidence: null,
  }
}

function whyOff({ vendor, parameters }: Asked): string {
  const switchedOff = parameters.findLast((parameter) => /^(?:intel_iommu|amd_iommu|iommu)=(?:.*,)?off(?:,|$)/.test(parameter))
  if (switchedOff !== undefined) return `the kernel was started with ${switchedOff}`
  if (vendor === 'intel' && !parameters.some((parameter) => /^intel_iommu=(?:.*,)?on(?:,|$)/.test(parameter))) {
    return 'the kernel was started without intel_iommu=on'
  }
  return 'the firmware describes one, but the kernel made no groups'
}

function inFirmware(vendor: SystemInfo['cpu_vendor']): string {
  if (vendor === 'intel') return 'VT-d is switched off in its set-up, or the processor has none'
  if (vendor === 'amd') return 'IOMMU (AMD-Vi) is switched off in its set-up, or the processor has none'
  return 'it is switched off in its set-up, or the processor has none'
}
