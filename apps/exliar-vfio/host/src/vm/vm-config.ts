import type { VmConfig, VmDevice } from '@exliar-vfio/points'
import { XmlElement, type XmlNode } from '@rgrove/parse-xml'
import { exliarErrors } from '../errors.ts'
import { attribute, elements, find, textOf, type XmlDocument } from './xml-document.ts'

/** What this machine knows of one function; undefined: it has none at this address. */
export type DeviceFacts = (bdf: string) => Pick<VmDevice, 'vendor_id' | 'device_id' | 'is_gpu'> | undefined

/** libvirt's namespace for arguments handed to QEMU as they are. Source: libvirt, "QEMU command-line passthrough". */
export const qemuNamespace = 'http://libvirt.org/schemas/domain/qemu/1.0'

/** What plugins see of a machine's configuration. Errors: `VM_XML_INVALID` where it is no machine's. */
export function readVmConfig({ root }: XmlDocument, facts: DeviceFacts): VmConfig {
  const name = textOf(find(root, 'name'))
  if (root.name !== 'domain' || name === '') {
    throw exliarErrors.error('VM_XML_INVALID', { reason: 'it is no domain with a name' })
  }
  return {
    name,
    uuid: textOf(find(root, 'uuid')),
    hypervisor: attribute(root, 'type') ?? '',
    memory_mib: memoryMib(find(root, 'memory')),
    vcpus: wholeNumber(textOf(find(root, 'vcpu'))),
    machine: attribute(find(root, 'os', 'type'), 'machine') ?? '',
    devices: hostDevices(root).map(({ bdf, element }) => deviceOf(bdf, element, facts(bdf))),
    features: {
      kvm_hidden: attribute(find(root, 'features', 'kvm', 'hidden'), 'state') === 'on',
      hypervisor_hidden: ['disable', 'forbid'].includes(attribute(hypervisorFlag(root), 'policy') ?? ''),
      hyperv_vendor_id: vendorId(find(root, 'features', 'hyperv', 'vendor_id')),
    },
    extra_arguments: extraArguments(root).map((element) => attribute(element, 'value') ?? ''),
  }
}

/** Every PCI function the machine is given, in its order. */
export function hostDevices(root: XmlElement): { readonly bdf: string; readonly element: XmlElement }[] {
  return elements(find(root, 'devices'), 'hostdev').flatMap((element) => {
    const isPci = attribute(element, 'mode') === 'subsystem' && attribute(element, 'type') === 'pci'
    const bdf = isPci ? bdfOf(find(element, 'source', 'address')) : undefined
    return bdf === undefined ? [] : [{ bdf, element }]
  })
}

/** The element `<feature name='hypervisor'>` of the CPU. */
export function hypervisorFlag(root: XmlElement): XmlElement | undefined {
  return elements(find(root, 'cpu'), 'feature').find((feature) => attribute(feature, 'name') === 'hypervisor')
}

/** The element that holds arguments for QEMU; its prefix is whatever the document bound to the namespace. */
export function commandLine(root: XmlElement): XmlElement | undefined {
  return elements(root).find((element) => isQemu(element, 'commandline'))
}

/** The arguments' elements, in order. */
export function extraArguments(root: XmlElement): XmlElement[] {
  return elements(commandLine(root)).filter((element) => isQemu(element, 'arg'))
}

function isQemu(element: XmlElement, local: string): boolean {
  const [prefix = '', name] = element.name.split(':', 2)
  if (name !== local) return false
  let at: XmlNode | null = element
  while (at instanceof XmlElement && attribute(at, `xmlns:${prefix}`) === undefined) at = at.parent
  return at instanceof XmlElement && attribute(at, `xmlns:${prefix}`) === qemuNamespace
}

function deviceOf(bdf: string, element: XmlElement, facts: ReturnType<DeviceFacts>): VmDevice {
  const rom = find(element, 'rom')
  const bar = attribute(rom, 'bar')
  return {
    bdf,
    vendor_id: facts?.vendor_id ?? '',
    device_id: facts?.device_id ?? '',
    is_gpu: facts?.is_gpu ?? false,
    managed: attribute(element, 'managed') === 'yes',
    rom_bar: bar === undefined ? null : bar === 'on',
    rom_file: attribute(rom, 'file') ?? null,
  }
}

/** libvirt reads these as C does: `0x10`, `020` and `16` are the same, and what is left out is 0. */
function bdfOf(address: XmlElement | undefined): string | undefined {
  const [domain, bus, slot, func] = ['domain', 'bus', 'slot', 'function'].map((name) => cNumber(attribute(address, name) ?? '0'))
  if (address === undefined || domain === undefined || bus === undefined || slot === undefined || func === undefined)
    return undefined
  if (domain > 0xff_ff_ff_ff || bus > 0xff || slot > 0x1f || func > 7) return undefined
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${func}`
}

function cNumber(text: string): number | undefined {
  if (/^0x[\da-f]{1,8}$/i.test(text)) return Number.parseInt(text, 16)
  if (/^0[0-7]{0,10}$/.test(text)) return Number.parseInt(text, 8)
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

function vendorId(element: XmlElement | undefined): string | null {
  const value = attribute(element, 'value') ?? ''
  return attribute(element, 'state') === 'on' && value !== '' ? value : null
}

function wholeNumber(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}

const binaryUnits: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 }

/** Source: libvirt, "Scaled integers": `KB` is 1000, `KiB` and `K` 1024, bytes where it says so, KiB by itself. */
function memoryMib(element: XmlElement | undefined): number {
  const unit = (attribute(element, 'unit') ?? 'KiB').toLowerCase()
  const power = binaryUnits[unit.charAt(0)] ?? 0
  const bytes = wholeNumber(textOf(element)) * (/^[kmgtp]b$/.test(unit) ? 1000 : 1024) ** power
  return Math.floor(bytes / 1024 ** 2)
}
