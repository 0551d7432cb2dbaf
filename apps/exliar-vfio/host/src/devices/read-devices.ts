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

type Ids = Pick<PciDevice, 'vendor_id' | 'device_id' | 'class_code'>

/** What a function is, which never changes and is answered at once; undefined when there is none. */
export function readIds(tree: Pick<MachineTree, 'directory'>, bdf: string): Ids | undefined {
  const directory = Bdf.safeParse(bdf).success ? tree.directory(`${place}/${bdf}`) : undefined
  return directory && idsOf((name) => directory.attribute(name))
}

function idsOf(text: Attributes['text']): Ids | undefined {
  const [vendor_id, device_id, class_code] = [
    hexadecimal(text, 'vendor', 4),
    hexadecimal(text, 'device', 4),
    hexadecimal(text, 'class', 6),
  ]
  return vendor_id === null || device_id === null || class_code === null ? undefined : { vendor_id, device_id, class_code }
}

/** What a function's directory has; what is not listed is not asked for, since each refusal costs as much as ten answers. */
interface Attributes {
  readonly names: readonly string[]
  readonly path: string
  readonly text: (name: string) => string | undefined
  readonly linkName: (name: string) => string | undefined
}

function attributesOf(directory: TreeDirectory): Attributes {
  const names = directory.names()
  const listed = new Set(names)
  return {
    names,
    path: directory.path,
    text: (name) => (listed.has(name) ? directory.attribute(name) : undefined),
    linkName: (name) => (listed.has(name) ? directory.linkName(name) : undefined),
  }
}

function readDevice(bdf: string, directory: TreeDirectory, names: PciNames): PciDevice | undefined {
  const attributes = attributesOf(directory)
  const ids = idsOf(attributes.text)
  if (ids === undefined) return undefined
  const { vendor_id: vendorId, device_id: deviceId, class_code: classCode } = ids
  return {
    bdf,
    slot: bdf.slice(0, bdf.lastIndexOf('.')),
    ...ids,
    subsystem_vendor_id: hexadecimal(attributes.text, 'subsystem_vendor', 4),
    subsystem_device_id: hexadecimal(attributes.text, 'subsystem_device', 4),
    class: names.deviceClass(classCode.slice(0, 4)),
    vendor_name: names.vendor(vendorId),
    device_name: names.device(vendorId, deviceId),
    driver: attributes.linkName('driver') ?? null,
    driver_override: overrideOf(attributes),
    iommu_group: groupOf(attributes),
    boot_vga: classCode.startsWith('03') && attributes.text('boot_vga') === '1',
    reset_methods: resetMethods(attributes),
    physical_function: functionAt(attributes, 'physfn') ?? null,
    virtual_functions: virtualFunctions(attributes),
    sysfs_path: attributes.path,
  }
}

/** The kernel writes `0x10de`. */
function hexadecimal(text: Attributes['text'], name: string, digits: number): string | null {
  const value = /^0x([\da-f]+)$/i.exec(text(name) ?? '')?.[1]?.toLowerCase()
  return value === undefined || value.length > digits ? null : value.padStart(digits, '0')
}

function overrideOf({ text }: Attributes): string | null {
  const value = text('driver_override') ?? ''
  return value === '' || value === '(null)' ? null : value
}

function groupOf({ linkName }: Attributes): number | null {
  const number = linkName('iommu_group') ?? ''
  return /^\d{1,9}$/.test(number) ? Number(number) : null
}

/** The function that a link leads to. */
function functionAt({ linkName }: Attributes, name: string): string | undefined {
  return Bdf.safeParse(linkName(name)).data
}

/** Kernels before 5.15 say only that there is one. */
function resetMethods({ text, names }: Attributes): string[] {
  const methods = text('reset_method')
  if (methods === undefined) return names.includes('reset') ? ['unnamed'] : []
  return methods.split(/\s+/).filter((method) => method !== '')
}

function virtualFunctions(attributes: Attributes): string[] {
  const { text, names } = attributes
  if (Number(text('sriov_numvfs') ?? 0) === 0) return []
  const numbers = names.flatMap((name) => /^virtfn(\d+)$/.exec(name)?.[1] ?? [])
  return numbers.sort((a, b) => Number(a) - Number(b)).flatMap((number) => functionAt(attributes, `virtfn${number}`) ?? [])
}
