import type { PciDevice } from '@exliar-vfio/points'
import { indexDevices, isBridge, isDisplay, siblingsOf } from '../devices/device-index.ts'

/** What a person asks for. */
export interface SelectionWish {
  /** Slots such as `0000:01:00`, or addresses: one of a card means the whole card, one of a virtual function only that. */
  readonly select: readonly string[]
  /** Slots or addresses of other cards in the same groups that may be taken along. */
  readonly takeAlong?: readonly string[]
  /** The screen the machine starts with may go. */
  readonly allowBootScreen?: boolean
}

/** Of what could have been meant. */
const mostNamed = 8

/** One function that moves, and why. */
export interface SelectedFunction {
  readonly device: PciDevice
  /** A sentence. */
  readonly because: string
}

/** Functions that move, or reasons why they cannot; then there is at least one refusal. */
export interface Selection {
  readonly functions: readonly SelectedFunction[]
  readonly refusals: readonly { readonly bdf: string; readonly reason: string }[]
  readonly notes: readonly string[]
}

/**
 * From slots to functions: every function of a card, and nothing of another card, however alike. Devices of one IOMMU group
 * go together or not at all; bridges stay. In order of address.
 */
export function selectFunctions(devices: readonly PciDevice[], wish: SelectionWish): Selection {
  const chosen = new Map<string, SelectedFunction>()
  const refusals: { bdf: string; reason: string }[] = []
  const notes: string[] = []
  for (const name of wish.select) {
    const found = functionsOf(devices, name)
    if (found.length === 0) refusals.push({ bdf: name, reason: noDevice(devices, name) })
    for (const device of found) chosen.set(device.bdf, { device, because: `${device.bdf} is a function of ${name}.` })
  }
  for (const name of wish.takeAlong ?? []) {
    if (!devices.some((device) => isMeant([name], device))) refusals.push({ bdf: name, reason: noDevice(devices, name) })
  }
  // A Map is walked to its end also when it grows meanwhile.
  for (const { device } of chosen.values()) {
    refusals.push(...refusalsOf(device, wish))
    if (device.iommu_group === null) {
      notes.push(`${device.bdf} has no group while the IOMMU is off: look at the report again after the next start.`)
    }
    for (const other of strangersOf(devices, device)) {
      if (chosen.has(other.bdf)) continue
      if (other.driver === 'vfio-pci') notes.push(`${other.bdf} is in group ${device.iommu_group} too and bound to VFIO already.`)
      else if (isMeant(wish.takeAlong ?? [], other)) {
        const because = `${other.bdf} is taken along: it is in group ${device.iommu_group} with ${device.bdf}.`
        chosen.set(other.bdf, { device: other, because })
      } else refusals.push({ bdf: device.bdf, reason: foreignReason(device, other) })
    }
  }
  for (const name of wish.takeAlong ?? []) {
    const isTaken = [...chosen.values()].some(({ device }) => isMeant([name], device))
    if (!isTaken) notes.push(`${name} stays: nothing that goes has a group with it.`)
  }
  const functions = [...chosen.values()].sort((a, b) => (a.device.bdf < b.device.bdf ? -1 : 1))
  return { functions, refusals: refusals.filter(isFirst), notes: [...new Set(notes)] }
}

function noDevice(devices: readonly PciDevice[], name: string): string {
  const cards = [...new Set(devices.filter(isDisplay).map(({ slot }) => slot))].slice(0, mostNamed)
  return `there is no device ${name}${cards.length === 0 ? '' : `; graphics adapters are at ${cards.join(', ')}`}`
}

/** A processor with graphics has functions of its own in the slot of the graphics: those are of another vendor and stay. */
function functionsOf(devices: readonly PciDevice[], name: string): readonly PciDevice[] {
  const exact = devices.find(({ bdf }) => bdf === name)
  if (exact !== undefined && exact.physical_function !== null) return [exact]
  const inSlot = devices.filter((device) => device.slot === name && device.physical_function === null)
  const main = exact ?? inSlot.find(isDisplay) ?? inSlot[0]
  return main === undefined ? [] : [main, ...siblingsOf(main, indexDevices(devices))]
}

function strangersOf(devices: readonly PciDevice[], { iommu_group, bdf }: PciDevice): readonly PciDevice[] {
  if (iommu_group === null) return []
  return devices.filter((other) => other.iommu_group === iommu_group && other.bdf !== bdf && !isBridge(other))
}

function isMeant(names: readonly string[], { bdf, slot }: PciDevice): boolean {
  return names.includes(bdf) || names.includes(slot)
}

function refusalsOf(device: PciDevice, wish: SelectionWish): readonly { bdf: string; reason: string }[] {
  const { bdf } = device
  const reasons: string[] = []
  if (isBridge(device)) reasons.push(`${bdf} is a bridge: what is behind it would be lost`)
  if (device.virtual_functions.length > 0) {
    reasons.push(`${bdf} has ${device.virtual_functions.length} virtual functions: pass one of those, or remove them first`)
  }
  if (device.boot_vga && wish.allowBootScreen !== true) {
    reasons.push(`${bdf} shows the screen this machine starts with, which would stay black`)
  }
  return reasons.map((reason) => ({ bdf, reason }))
}

function foreignReason(device: PciDevice, other: PciDevice): string {
  const what = `${other.bdf} (${other.class}: ${other.vendor_name} ${other.device_name})`
  return `group ${device.iommu_group} of ${device.bdf} also holds ${what}, which would have to go along`
}

function isFirst(
  refusal: { bdf: string; reason: string },
  index: number,
  all: readonly { bdf: string; reason: string }[],
): boolean {
  return all.findIndex(({ bdf, reason }) => bdf === refusal.bdf && reason === refusal.reason) === index
}
