import type { PciDevice } from '@exliar-vfio/points'

/** Devices by what they have in common. */
export interface DeviceIndex {
  readonly all: readonly PciDevice[]
  readonly bySlot: ReadonlyMap<string, readonly PciDevice[]>
  readonly byGroup: ReadonlyMap<number, readonly PciDevice[]>
}

export function indexDevices(devices: readonly PciDevice[]): DeviceIndex {
  const grouped = devices.filter(({ iommu_group: group }) => group !== null)
  return {
    all: devices,
    bySlot: Map.groupBy(devices, ({ slot }) => slot),
    byGroup: Map.groupBy(grouped, ({ iommu_group: group }) => group ?? -1),
  }
}

/**
 * Functions that go where `device` goes: the other ones of its card. Virtual functions have their physical one's slot, but
 * each is a device of its own. A processor with graphics has its own functions in the same slot, such as USB for the
 * keyboard: they are of another vendor and stay.
 */
export function siblingsOf(device: PciDevice, index: DeviceIndex): readonly PciDevice[] {
  if (device.physical_function !== null) return []
  return slotMatesOf(device, index).filter((other) => other.physical_function === null && other.vendor_id === device.vendor_id)
}

/** Every other function with the same slot. */
export function slotMatesOf(device: PciDevice, { bySlot }: DeviceIndex): readonly PciDevice[] {
  return (bySlot.get(device.slot) ?? []).filter(({ bdf }) => bdf !== device.bdf)
}

/** Endpoints of other cards in the groups of these functions; they go to the same guest or nobody goes. */
export function foreignOf(own: readonly PciDevice[], { byGroup }: DeviceIndex): readonly PciDevice[] {
  const groups = new Set(own.map(({ iommu_group: group }) => group ?? -1))
  const members = [...groups].flatMap((group) => byGroup.get(group) ?? [])
  return members.filter((device) => !own.includes(device) && !isBridge(device))
}

/** A bridge within the fabric: the kernel lets its group go although it stays. */
export function isBridge({ class_code: code }: PciDevice): boolean {
  return code.startsWith('0604') || code.startsWith('0600')
}

/** A display controller of any kind: VGA, XGA, 3D or other. */
export function isDisplay({ class_code: code }: PciDevice): boolean {
  return code.startsWith('03')
}

/** Whether it is behind a bridge, so that it can be reset with everything there. */
export function isBehindBridge({ sysfs_path: path }: PciDevice): boolean {
  return !(path.split('/').at(-2) ?? 'pci').startsWith('pci')
}
