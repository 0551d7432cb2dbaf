import type { GpuDevice, PciDevice, QuirkSetting, Readiness, SystemInfo } from '@exliar-vfio/points'
import { resetFamily, type ResetFamily } from './reset-matrix.ts'

/** AMD's vendor id. */
export const amd = '1002'

/** From here on the kernel is told the method in `reset_method`, and does not take the module's by itself. */
const methodsSince = { major: 5, minor: 15 }

/** What the plan should carry for a card; nothing where the kernel is enough. */
export function resetQuirks(gpu: GpuDevice, system: SystemInfo): QuirkSetting[] {
  const family = resetFamily(gpu.device_id)
  if (gpu.vendor_id !== amd || family?.way !== 'vendor-reset') return []
  const chosen = hasMethods(system)
    ? ` From Linux 5.15 on the method must be chosen once the module is loaded: echo device_specific > ${methodFile(gpu.bdf)}, best by a udev rule.`
    : ''
  return [
    {
      name: 'vendor-reset',
      description: `${family.family} cards (${family.sold_as}) keep their state when a guest ends, and only the module vendor-reset can reset them. It is not part of Linux: install it (dkms), and load it before anything else resets the card.${chosen}`,
      xml_snippet: null,
      command_line_option: null,
      kernel_parameters: [],
      kernel_modules: ['vendor-reset'],
    },
  ]
}

/** What to know before a card is bound. */
export function resetWarnings(gpu: GpuDevice, system: SystemInfo): Readiness {
  const family = resetFamily(gpu.device_id)
  const notes = family === undefined ? unknownFamily(gpu) : warningsOf(family, system)
  if (system.cpu_vendor === 'amd' && family?.way !== 'kernel') {
    notes.push(
      'If the card does not come back with "Unknown PCI header type 127" on an early Ryzen board, update its firmware first: AGESA 0.0.7.2 to 1.0.0.3 are reported to break resets.',
    )
  }
  return { ready: true, notes }
}

/** Whether a card that is bound can be reset as its family needs it. `device` is its graphics function. */
export function resetReadiness(gpu: GpuDevice, device: PciDevice, system: SystemInfo): Readiness {
  const family = resetFamily(gpu.device_id)
  const [first] = device.reset_methods
  if (gpu.driver !== 'vfio-pci') {
    return { ready: false, notes: [`${gpu.bdf} is driven by ${gpu.driver ?? 'nothing'}, not by vfio-pci.`] }
  }
  if (family?.way === 'vendor-reset') {
    if (first === 'device_specific') return { ready: true, notes: [...family.notes] }
    if (first === undefined && !hasMethods(system)) {
      return { ready: true, notes: ['This kernel does not say how it resets the card; see that vendor-reset is loaded.'] }
    }
    const instead = first === undefined ? 'cannot reset it at all' : `would reset it by ${first}, which leaves it unusable`
    return {
      ready: false,
      notes: [`The kernel ${instead}: load vendor-reset, then echo device_specific > ${methodFile(gpu.bdf)}.`, ...family.notes],
    }
  }
  if (first === undefined && hasMethods(system)) {
    return {
      ready: false,
      notes: ['The kernel knows no way to reset this card: it serves one guest after each start of the host.'],
    }
  }
  return { ready: true, notes: family === undefined ? [] : warningsOf(family, system) }
}

function warningsOf({ family, sold_as: soldAs, way, notes }: ResetFamily, system: SystemInfo): string[] {
  switch (way) {
    case 'vendor-reset': {
      const secure = 'Secure boot is on: the module must be signed with a key this machine knows, or it is not loaded.'
      const module = `${family} (${soldAs}) needs the module vendor-reset: without it the card serves one guest after each start of the host.`
      return [module, ...(system.secure_boot_enabled === true ? [secure] : []), ...notes]
    }
    case 'unreliable':
      return [
        `${family} (${soldAs}): on part of the boards the card does not come back after its guest has ended, and vendor-reset does not know it. Shut guests down, never pull the plug.`,
        ...notes,
      ]
    case 'none':
      return [`${family} (${soldAs}) cannot be reset: it serves one guest after each start of the host.`, ...notes]
    case 'kernel':
      return [...notes]
  }
}

function unknownFamily({ device_id: id, capabilities }: GpuDevice): string[] {
  return capabilities.has_reset_bug ? [`Cards with the id ${id} are not in the matrix, but are known to keep their state.`] : []
}

function hasMethods({ kernel_version: version }: SystemInfo): boolean {
  if (version === null) return true
  return version.major > methodsSince.major || (version.major === methodsSince.major && version.minor >= methodsSince.minor)
}

function methodFile(bdf: string): string {
  return `/sys/bus/pci/devices/${bdf}/reset_method`
}
