import type { PciDevice } from '@exliar-vfio/points'

/** How VFIO gets the functions when the machine starts. */
export interface Claim {
  /** Ids such as `10de:1b80` that belong to nobody who is not selected. */
  readonly ids: readonly string[]
  /** Functions that only their address tells from others. */
  readonly bySlot: readonly PciDevice[]
  /** Virtual functions: they are made after the start, so nothing lasts for them. */
  readonly untilRestart: readonly PciDevice[]
}

/** Ids where they are unmistakable, addresses where another device has the same ids. */
export function claimOf(devices: readonly PciDevice[], selected: readonly PciDevice[]): Claim {
  const chosen = new Set(selected.map(({ bdf }) => bdf))
  const others = new Set(devices.filter(({ bdf }) => !chosen.has(bdf)).map(idOf))
  const lasting = selected.filter(({ physical_function }) => physical_function === null)
  return {
    ids: [...new Set(lasting.map(idOf).filter((id) => !others.has(id)))],
    bySlot: lasting.filter((device) => others.has(idOf(device))),
    untilRestart: selected.filter(({ physical_function }) => physical_function !== null),
  }
}

/** Vendor and device, as modprobe is told them. */
export function idOf({ vendor_id, device_id }: PciDevice): string {
  return `${vendor_id}:${device_id}`
}
