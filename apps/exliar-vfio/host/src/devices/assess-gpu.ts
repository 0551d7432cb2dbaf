import type { GpuVerdict, PciDevice, SystemInfo } from '@exliar-vfio/points'
import { isBehindBridge } from './device-index.ts'

/** A card, its surroundings and what is known of it. */
export interface Situation {
  readonly device: PciDevice
  /** The other functions of its card. */
  readonly siblings: readonly PciDevice[]
  /** Endpoints of other cards in its groups. */
  readonly foreign: readonly PciDevice[]
  /** Another adapter that shows a picture and stays with this machine. */
  readonly hasOtherDisplay: boolean
  readonly system: Pick<SystemInfo, 'iommu' | 'virtualization_enabled'>
  readonly isIntegrated: boolean
  readonly supportsGvt: boolean
  readonly hasResetBug: boolean
  /** A module for its reset is made. */
  readonly hasVendorReset: boolean
  readonly needsCode43: boolean
}

interface Finding {
  readonly verdict: GpuVerdict['verdict']
  readonly reason: string
}

type Check = (situation: Situation) => Finding | undefined

/** Gravest first. */
const order: readonly GpuVerdict['verdict'][] = ['no', 'risky', 'needs-changes', 'ready']

/** Drivers under which a member of a group is nobody's. */
const freeDrivers: ReadonlySet<string | null> = new Set([null, 'vfio-pci', 'pci-stub'])

/** Whether a card can be passed through, and every reason for it; the gravest decides. */
export function assessGpu(situation: Situation): GpuVerdict {
  const findings = checks.flatMap((check) => check(situation) ?? [])
  const sorted = findings.sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict))
  return { verdict: sorted[0]?.verdict ?? 'ready', reasons: sorted.map(({ reason }) => reason) }
}

const isolation: Check = ({ system: { iommu }, device }) => {
  switch (iommu.state) {
    case 'absent':
      return { verdict: 'no', reason: `This machine has no IOMMU: ${iommu.reason}.` }
    case 'off':
      return { verdict: 'needs-changes', reason: `The IOMMU is off: ${iommu.reason}. Groups are known once it is on.` }
    case 'unknown':
      return { verdict: 'risky', reason: `Whether this machine has an IOMMU is not known: ${iommu.reason}.` }
    case 'on':
      return device.iommu_group === null
        ? { verdict: 'no', reason: 'The IOMMU does not cover it: it is in no group.' }
        : undefined
  }
}

const virtualization: Check = ({ system }) =>
  system.virtualization_enabled
    ? undefined
    : { verdict: 'no', reason: 'The processor’s virtualisation is missing, or the firmware has it switched off.' }

const virtualFunctions: Check = ({ device }) => {
  if (device.physical_function !== null) {
    return { verdict: 'ready', reason: `It is a virtual function of ${device.physical_function}, which stays with this machine.` }
  }
  if (device.virtual_functions.length === 0) return undefined
  const list = device.virtual_functions.join(', ')
  return { verdict: 'no', reason: `Its virtual functions (${list}) would end with it: pass one of them through instead.` }
}

const foreignEndpoints: Check = ({ foreign }) => {
  const [first] = foreign
  if (first === undefined) return undefined
  const used = foreign.filter(({ driver }) => !freeDrivers.has(driver))
  if (used.length === 0) {
    return { verdict: 'ready', reason: `Its group also holds ${foreign.map(named).join(', ')}, which this machine does not use.` }
  }
  const taken = used.map((device) => `${named(device)}, driven by ${device.driver ?? 'nothing'}`).join('; ')
  return { verdict: 'risky', reason: `Its group also holds devices of others, which this machine would lose with it: ${taken}.` }
}

const picture: Check = ({ device, hasOtherDisplay }) => {
  if (device.driver === 'vfio-pci' || device.physical_function !== null) return undefined
  if (!hasOtherDisplay && device.class_code.startsWith('0300')) {
    const role = device.boot_vga ? 'It is the boot GPU and the only one' : 'It is the only GPU'
    return { verdict: 'risky', reason: `${role}: this machine will show no picture, so have another way in.` }
  }
  if (!device.boot_vga) return undefined
  return {
    verdict: 'risky',
    reason: 'It is the boot GPU: the firmware shows its first picture on it, which then stops, and its ROM may not be as it was.',
  }
}

const integrated: Check = ({ isIntegrated, supportsGvt }) => {
  if (!isIntegrated) return undefined
  const instead = supportsGvt ? ' With GVT-g a guest can have a part of it instead.' : ''
  return {
    verdict: 'risky',
    reason: `It is part of the processor and uses this machine’s memory: many do not run in a guest.${instead}`,
  }
}

const resetBug: Check = ({ device, hasResetBug, hasVendorReset }) => {
  if (!hasResetBug) return undefined
  if (device.reset_methods.includes('device_specific')) {
    return { verdict: 'ready', reason: 'Its model resets badly, but a module for its reset is loaded.' }
  }
  const help = hasVendorReset ? ' The module vendor-reset mends it.' : ''
  return {
    verdict: 'risky',
    reason: `Its model resets badly: a guest may start only once until this machine is restarted.${help}`,
  }
}

const noReset: Check = ({ device }) =>
  device.reset_methods.length === 0 && !isBehindBridge(device)
    ? { verdict: 'risky', reason: 'The kernel has no way to reset it: a second start of a guest may fail.' }
    : undefined

const drivers: Check = ({ device, siblings }) => {
  const held = [device, ...siblings].filter(({ driver }) => driver !== 'vfio-pci')
  if (held.length === 0) return { verdict: 'ready', reason: 'It is bound to vfio-pci with all its functions.' }
  const parts = held.map(({ bdf, driver, driver_override: override }) => {
    if (driver !== null) return `${bdf} is driven by ${driver}`
    return override === null ? `${bdf} has no driver` : `${bdf} has no driver, although ${override} is asked for`
  })
  return { verdict: 'needs-changes', reason: `To be bound to vfio-pci: ${parts.join(', ')}.` }
}

const otherGroups: Check = ({ device, siblings }) => {
  const elsewhere = siblings.filter(({ iommu_group: group }) => group !== device.iommu_group)
  if (elsewhere.length === 0) return undefined
  const list = elsewhere.map((sibling) => `${named(sibling)} in ${sibling.iommu_group ?? 'none'}`).join(', ')
  return { verdict: 'ready', reason: `It is in group ${device.iommu_group ?? 'none'}, but ${list}: the groups go together.` }
}

const code43: Check = ({ needsCode43 }) =>
  needsCode43
    ? { verdict: 'ready', reason: 'Guest drivers before 465 see the hypervisor and stop with code 43: hide it from them.' }
    : undefined

const checks: readonly Check[] = [
  isolation,
  virtualization,
  virtualFunctions,
  foreignEndpoints,
  picture,
  resetBug,
  noReset,
  integrated,
  drivers,
  otherGroups,
  code43,
]

function named({ bdf, class: kind }: PciDevice): string {
  return `${bdf} (${kind})`
}
