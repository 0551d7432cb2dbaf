import { XmlElement, XmlText } from '@rgrove/parse-xml'
import { elements, readXml } from './xml-document.ts'

/**
 * Where two machines' configurations differ, as paths such as `/features/kvm/hidden/@state`; empty when they mean the same.
 * White space, comments, quotes, the order of attributes and how a namespace is abbreviated mean nothing.
 * Errors: `VM_XML_INVALID`.
 */
export function domainDifferences(one: string, other: string): string[] {
  return different(statements(one), statements(other))
}

/**
 * Where what libvirt has now differs from what it was told, apart from what it adds by itself: addresses in the guest of
 * devices, controllers for them, how a CPU model is checked, and that Hyper-V's features are chosen one by one.
 */
export function definedDifferences(told: string, now: string): string[] {
  const own =
    /^\/devices\[1\]\/(?:controller\[|hostdev\[\d+\]\/(?:address|alias|driver)\[)|^\/(?:cpu\[1\]\/@(?:check|match|migratable)|features\[1\]\/hyperv\[1\]\/@mode)$/
  return different(statements(told, own), statements(now, own))
}

function different(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  const paths = new Set([...one.keys(), ...other.keys()])
  return [...paths].filter((path) => one.get(path) !== other.get(path)).map((path) => path.replaceAll('[1]', ''))
}

/** Every element, attribute and text of a document by its path, except those of paths that match `without`. */
function statements(xml: string, without?: RegExp): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const say = (path: string, value: string): void => {
    if (without?.test(path) !== true) found.set(path, value)
  }
  const visit = (element: XmlElement, path: string): void => {
    const text = element.children.filter((child) => child instanceof XmlText).map((child) => child.text.trim())
    say(path, text.join(''))
    for (const [name, value] of Object.entries(element.attributes))
      if (!/^xmlns(?::|$)/.test(name)) say(`${path}/@${name}`, value)
    const counts = new Map<string, number>()
    for (const child of elements(element)) {
      const name = qualifiedName(child)
      const count = (counts.get(name) ?? 0) + 1
      counts.set(name, count)
      visit(child, `${path}/${name}[${count}]`)
    }
  }
  const { root } = readXml(xml)
  visit(root, '')
  return found
}

/** A name with what its prefix is bound to. */
function qualifiedName(element: XmlElement): string {
  const [prefix = '', local] = element.name.includes(':') ? element.name.split(':', 2) : ['', element.name]
  const key = prefix === '' ? 'xmlns' : `xmlns:${prefix}`
  for (let at: unknown = element; at instanceof XmlElement; at = at.parent) {
    const uri = at.attributes[key]
    if (uri !== undefined && uri !== '') return `{${uri}}${local ?? ''}`
  }
  return element.name
}
