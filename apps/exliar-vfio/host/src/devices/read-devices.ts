import { Bdf, type PciDevice } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { TreeDirectory } from '../machine/tree-directory.ts'
import { pciNames, type PciNames } from './pci-names.ts'

const place = '/sys/bus/pci/devices'

/** Every PCI function of a machine, by address. What a function has not, such as a driver, is null; one without ids is left out. */
export function readDevices(tree: MachineTree, names: PciNames = pciNames(tree)): PciDevice[] {
  return tree.names(place).flatMap((bdf) => {
    const directory = Bdf.safeParse(bdf).success ? tree.directory(`${place}/${bdf}`) : undefined
    return (directory && readDevice(bdf, directory, names)) ?? []
  })
}

/** One function as it is now; undefined when there is none. */
export function readOneDevice(tree: MachineTree, bdf: string): PciDevice | undefined {
  const directory = Bdf.safeParse(bdf).success ? tree.directory(`${place}/${bdf}`) : undefined
  return directory && readDevice(bdf, directory, pciNames(tree))
}

function readDevice(bdf: string, directory: TreeDirectory, names: PciNames): PciDevice | undefined {
  const vendorId = hexadecimal(directory, 'vendor', 4)
  const deviceId = hexadecimal(directory, 'device', 4)
  const classCode = hexadecimal(directory, 'class', 6)
  if (vendorId === null || deviceId === null || classCode === null) return undefined
  return {
    bdf,
    slot: bdf.slice(0, bdf.lastIndexOf('.')),
    vendor_id: vendorId,
    device_id: deviceId,
    subsystem_vendor_id: hexadecimal(directory, 'subsystem_vendor', 4),
    subsystem_device_id: hexadecimal(directory, 'subsystem_device', 4),
    class_code: classCode,
    class: names.deviceClass(classCode.slice(0, 4)),
    vendor_name: names.vendor(vendorId),
    device_name: names.device(vendorId, deviceId),
    driver: directory.linkName('driver') ?? null,
    driver_override: overrideOf(directory),
    iommu_group: groupOf(directory),
    boot_vga: classCode.startsWith('03') && directory.attribute('boot_vga') === '1',
    reset_methods: resetMethods(directory),
    physical_function: directory.linkName('physfn') ?? null,
    virtual_functions: virtualFunctions(directory),
    sysfs_path: directory.path,
  }
}

/** The kernel writes `0x10de`. */
function hexadecimal(directory: TreeDirectory, name: string, digits: number): string | null {
  const value = /^0x([\da-f]+)$/i.exec(directory.attribute(name) ?? '')?.[1]?.toLowerCase()
  return value === undefined ? null : value.padStart(digits, '0')
}

function overrideOf(directory: TreeDirectory): string | null {
  const value = directory.attribute('driver_override') ?? ''
  return value === '' || value === '(null)' ? null : value
}

function groupOf(directory: TreeDirectory): number | null {
  const number = Number(directory.linkName('iommu_group') ?? Number.NaN)
  return Number.isInteger(number) ? number : null
}

/** Kernels before 5.15 say only that there is one. */
function resetMethods(directory: TreeDirectory): string[] {
  const methods = directory.attribute('reset_method')
  if (methods === undefined) return directory.has('reset') ? ['unnamed'] : []
  return methods.split(/\s+/).filter((method) => method !== '')
}

function virtualFunctions(directory: TreeDirectory): string[] {
  if (Number(directory.attribute('sriov_numvfs') ?? 0) === 0) return []
  const numbers = directory.names().flatMap((name) => /^virtfn(\d+)$/.exec(name)?.[1] ?? [])
  return numbers.sort((a, b) => Number(a) - Number(b)).flatMap((number) => directory.linkName(`virtfn${number}`) ?? [])
}
