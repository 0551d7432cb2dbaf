import type { GpuDevice, PciDevice, SystemInfo } from '@exliar-vfio/points'
import { assessGpu } from './assess-gpu.ts'
import { foreignOf, indexDevices, isBehindBridge, isDisplay, siblingsOf, slotMatesOf, type DeviceIndex } from './device-index.ts'
import { gpuVendor, knownModel, type GpuDatabase, type KnownModel } from './gpu-database.ts'

interface Surroundings {
  readonly system: Pick<SystemInfo, 'iommu' | 'virtualization_enabled'>
  readonly database: GpuDatabase
  readonly vramOf: (device: PciDevice) => number | null
}

/**
 * The graphics adapters among the devices, each with its verdict. Made from ids and the kernel's files, never from names.
 * `vramOf` answers MB of a card's own memory, null when nothing tells; by default nothing does.
 */
export function detectGpus(
  devices: readonly PciDevice[],
  system: Surroundings['system'],
  database: GpuDatabase,
  vramOf: Surroundings['vramOf'] = () => null,
): GpuDevice[] {
  const index = indexDevices(devices)
  return devices.filter(isDisplay).map((device) => gpuOf(device, index, { system, database, vramOf }))
}

function gpuOf(device: PciDevice, index: DeviceIndex, { system, database, vramOf }: Surroundings): GpuDevice {
  const model = knownModel(database, device)
  const siblings = siblingsOf(device, index)
  const foreign = foreignOf([device, ...siblings], index)
  const isIntegrated = model?.integrated ?? isPartOfProcessor(device, slotMatesOf(device, index))
  const found = {
    supportsGvt: model?.supportsGvt ?? false,
    hasResetBug: model?.resetBug ?? false,
    needsCode43: model?.code43 ?? false,
  }
  const hasVendorReset = model?.quirks.includes('vendor-reset') ?? false
  const hasOtherDisplay = index.all.some((other) => other.slot !== device.slot && showsPicture(other))
  return {
    bdf: device.bdf,
    slot: device.slot,
    vendor_id: device.vendor_id,
    device_id: device.device_id,
    vendor: gpuVendor(database, device.vendor_id),
    model_name: model?.name ?? shortName(device),
    family: model?.family ?? null,
    architecture: model?.architecture ?? null,
    is_integrated: isIntegrated,
    boot_vga: device.boot_vga,
    vram_size: vramOf(device),
    driver: device.driver,
    iommu_group: device.iommu_group,
    functions: siblings.map(({ bdf }) => bdf),
    foreign: foreign.map(({ bdf }) => bdf),
    capabilities: {
      supports_reset: device.reset_methods.length > 0 || isBehindBridge(device),
      requires_acs_override: foreign.length > 0,
      supports_fbc: model?.supportsFbc ?? false,
      supports_gvt: found.supportsGvt,
      has_reset_bug: found.hasResetBug,
      needs_code_43_workaround: found.needsCode43,
      supports_vbios_loading: !isIntegrated && device.physical_function === null,
    },
    quirks: quirksOf(model, device.boot_vga || isIntegrated),
    assessment: assessGpu({ device, siblings, foreign, hasOtherDisplay, hasVendorReset, system, isIntegrated, ...found }),
  }
}

/**
 * For models that are not known: Intel's own are directly on the root bus; AMD's are beside functions of the processor,
 * whose vendor is AMD and not ATI.
 */
function isPartOfProcessor(device: PciDevice, slotMates: readonly PciDevice[]): boolean {
  if (device.vendor_id === '8086') return !isBehindBridge(device)
  return device.vendor_id === '1002' && slotMates.some(({ vendor_id: id }) => id === '1022')
}

function showsPicture({ class_code: code, driver, driver_override: override, physical_function: physical }: PciDevice): boolean {
  return code.startsWith('0300') && driver !== 'vfio-pci' && override !== 'vfio-pci' && physical === null
}

/** The list of ids writes `chip [what is sold]`. */
function shortName({ device_name: name, vendor_id: vendor, device_id: id }: PciDevice): string {
  if (name === id) return `${vendor}:${id}`
  return /\[([^\]]+)\]/.exec(name)?.[1] ?? name
}

/** A ROM of one's own is needed only where the firmware used the card's before. */
function quirksOf(model: KnownModel | undefined, wasUsedByFirmware: boolean): string[] {
  return (model?.quirks ?? []).filter((quirk) => quirk !== 'rom-file' || wasUsedByFirmware)
}
