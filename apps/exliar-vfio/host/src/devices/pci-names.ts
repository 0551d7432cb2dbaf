import type { MachineTree } from '../machine/machine-tree.ts'

/** Where the list of PCI ids is; the first is the most current. Source: https://pci-ids.ucw.cz/ */
const places = ['/usr/share/hwdata/pci.ids', '/var/lib/pciutils/pci.ids', '/usr/share/misc/pci.ids', '/usr/share/pci.ids']

/** For machines without the list: the classes a card's functions and their neighbours have. */
const commonClasses: Readonly<Record<string, string>> = {
  '0106': 'SATA controller',
  '0107': 'Serial Attached SCSI controller',
  '0108': 'Non-Volatile memory controller',
  '0200': 'Ethernet controller',
  '0280': 'Network controller',
  '0300': 'VGA compatible controller',
  '0302': '3D controller',
  '0380': 'Display controller',
  '0403': 'Audio device',
  '0600': 'Host bridge',
  '0601': 'ISA bridge',
  '0604': 'PCI bridge',
  '0806': 'IOMMU',
  '0c03': 'USB controller',
  '0c05': 'SMBus',
  '0c80': 'Serial bus controller',
  '1080': 'Encryption controller',
}

/** Names of what has an id; where the list does not know one, the id. */
export interface PciNames {
  readonly vendor: (id: string) => string
  readonly device: (vendorId: string, id: string) => string
  /** By the first four digits of a class. */
  readonly deviceClass: (code: string) => string
}

/** Entries of one vendor or class, by the digits they begin with. */
interface Section {
  readonly name: string
  readonly entries: ReadonlyMap<string, string>
}

/** The names this machine has. The list is read when the first is asked for, and of it only the vendors that are asked for. */
export function pciNames(tree: MachineTree): PciNames {
  let text: string | undefined
  const sections = new Map<string, Section | undefined>()
  const section = (head: string): Section | undefined => {
    text ??= `\n${listOf(tree)}`
    if (!sections.has(head)) sections.set(head, parsed(text, head))
    return sections.get(head)
  }
  return {
    vendor: (id) => section(id)?.name ?? id,
    device: (vendorId, id) => section(vendorId)?.entries.get(id) ?? id,
    deviceClass: (code) => section(`C ${code.slice(0, 2)}`)?.entries.get(code.slice(2)) ?? commonClasses[code] ?? `class ${code}`,
  }
}

function listOf(tree: MachineTree): string {
  for (const path of places) {
    const text = tree.glance(path)
    if (text !== undefined) return text
  }
  return ''
}

/** A head stands at the start of a line; its entries are indented by one tab, and what these have by two. */
function parsed(text: string, head: string): Section | undefined {
  const start = text.indexOf(`\n${head}  `)
  if (start === -1) return undefined
  const next = /\n[^\t#\n]/g
  next.lastIndex = start + 1
  const body = text.slice(start + 1, next.exec(text)?.index)
  const entries = body.matchAll(/^\t([\da-f]{2,4}) {2}(.*)$/gm)
  const name = body.slice(head.length, body.indexOf('\n') === -1 ? undefined : body.indexOf('\n')).trim()
  return { name, entries: new Map(Array.from(entries, ([, id = '', label = '']) => [id, label] as const)) }
}
