import { libvirtErrors } from './errors.ts'
import { all, find, readXml, type XmlElement } from './xml-elements.ts'

/** One disk of a domain; removable media are not counted as such. */
export interface DomainDisk {
  /** Name inside the domain, such as `vda`. */
  readonly target: string
  readonly source: DiskSource
  /** As libvirt names the format: `raw`, `qcow2`, `vpc` … */
  readonly format: string
  readonly encrypted: boolean
  readonly readOnly: boolean
  readonly bootOrder: number
  /** The file or device below the active one, when there is one. */
  readonly backing: string | undefined
}

/** Where a disk's bytes are. */
export type DiskSource =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'volume'; readonly pool: string; readonly volume: string }
  | { readonly kind: 'other'; readonly type: string }

/** A domain as its XML describes it. */
export interface Domain {
  readonly uuid: string
  readonly name: string
  /** `kvm`, `qemu`, `test`, `xen` … */
  readonly type: string
  /** Whether it has a running hypervisor process (also when paused). */
  readonly active: boolean
  readonly memoryMb: number
  readonly cpus: number
  readonly firmware: 'bios' | 'uefi'
  readonly secureBoot: boolean
  /** The libosinfo id when there is one, such as `http://debian.org/debian/12`. */
  readonly os: string
  readonly description: string
  readonly disks: readonly DomainDisk[]
  /** Targets of the drives that are no hard disks: `hdc`, `fda`. */
  readonly drives: readonly string[]
  readonly nics: readonly Readonly<Record<string, string>>[]
}

/** Reads what `virsh dumpxml` wrote. Errors: `LIBVIRT_XML_UNEXPECTED`. */
export function readDomain(xml: string, what: string): Domain {
  try {
    const root = readXml(xml)
    const uuid = find(root, 'uuid')?.text ?? ''
    const name = find(root, 'name')?.text ?? ''
    if (root.name !== 'domain' || uuid === '' || name === '') throw new Error('it is no domain')
    return { uuid, name, ...describe(root) }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw libvirtErrors.error('LIBVIRT_XML_UNEXPECTED', { what, reason }, { cause: error })
  }
}

function describe(root: XmlElement): Omit<Domain, 'uuid' | 'name'> {
  const os = find(root, 'os')
  const loader = find(os, 'loader')
  const devices = find(root, 'devices')
  return {
    type: root.attributes['type'] ?? '',
    active: root.attributes['id'] !== undefined,
    memoryMb: megabytes(find(root, 'memory')),
    cpus: Number(find(root, 'vcpu')?.text ?? 0),
    firmware: os?.attributes['firmware'] === 'efi' || loader?.attributes['type'] === 'pflash' ? 'uefi' : 'bios',
    secureBoot: loader?.attributes['secure'] === 'yes',
    os: find(root, 'metadata', 'libosinfo:libosinfo', 'libosinfo:os')?.attributes['id'] ?? '',
    description: find(root, 'description')?.text ?? '',
    disks: all(devices, 'disk').filter(isHardDisk).map(disk),
    drives: all(devices, 'disk')
      .filter((element) => !isHardDisk(element))
      .map(targetName),
    nics: all(devices, 'interface').map(nic),
  }
}

function isHardDisk(element: XmlElement): boolean {
  return ['disk', 'lun'].includes(element.attributes['device'] ?? 'disk')
}

function targetName(element: XmlElement): string {
  return find(element, 'target')?.attributes['dev'] ?? ''
}

function disk(element: XmlElement): DomainDisk {
  return {
    target: targetName(element),
    source: source(element),
    format: find(element, 'driver')?.attributes['type'] ?? 'raw',
    encrypted: find(element, 'encryption') !== undefined || find(element, 'source', 'encryption') !== undefined,
    readOnly: find(element, 'readonly') !== undefined,
    bootOrder: Number(find(element, 'boot')?.attributes['order'] ?? Infinity),
    backing: path(find(element, 'backingStore', 'source')),
  }
}

function source(element: XmlElement): DiskSource {
  const from = find(element, 'source')
  const file = path(from)
  if (file !== undefined) return { kind: 'path', path: file }
  const { pool, volume } = from?.attributes ?? {}
  if (pool !== undefined && volume !== undefined) return { kind: 'volume', pool, volume }
  return { kind: 'other', type: element.attributes['type'] ?? 'unknown' }
}

function path(from: XmlElement | undefined): string | undefined {
  return from?.attributes['file'] ?? from?.attributes['dev']
}

function nic(element: XmlElement): Record<string, string> {
  const from = find(element, 'source')?.attributes ?? {}
  return {
    mac: find(element, 'mac')?.attributes['address'] ?? '',
    network: from['network'] ?? from['bridge'] ?? from['dev'] ?? '',
    model: find(element, 'model')?.attributes['type'] ?? '',
  }
}

/** Source: libvirt "Domain XML format", memory: default unit KiB. */
function megabytes(element: XmlElement | undefined): number {
  const bytes = {
    b: 1,
    bytes: 1,
    KB: 1e3,
    k: 1024,
    KiB: 1024,
    MB: 1e6,
    M: 1024 ** 2,
    MiB: 1024 ** 2,
    GB: 1e9,
    G: 1024 ** 3,
    GiB: 1024 ** 3,
  }
  const unit = element?.attributes['unit'] ?? 'KiB'
  const factor = Object.entries(bytes).find(([name]) => name === unit)?.[1] ?? 1024
  return Math.round((Number(element?.text ?? 0) * factor) / 1024 ** 2)
}
