/** One element of an XML document. */
export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** The text directly inside, trimmed. */
  readonly text: string
}

const deepest = 64
const longest = 8 * 1024 * 1024
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

const tokens =
  /<\?[^?]*\?>|<!--[\s\S]*?-->|<!\[CDATA\[(?<cdata>[\s\S]*?)\]\]>|<\/(?<close>[\w:.-]+)\s*>|<(?<open>[\w:.-]+)(?<attributes>(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>\/?)>|(?<text>[^<]+)/y

interface Building {
  readonly name: string
  readonly attributes: Record<string, string>
  readonly children: XmlElement[]
  text: string
}

/**
 * Reads the XML libvirt writes: elements, attributes, text, CDATA and comments. Everything else (a document type, an
 * entity of the document's own, tags that do not match) is refused with a plain `Error`; nothing is guessed. A library
 * is not used because a plugin folder carries no `node_modules`, and libvirt's XML needs no more than this.
 */
export function readXml(xml: string): XmlElement {
  if (xml.length > longest) throw new Error('it is longer than 8 MiB')
  const root: Building = { name: '', attributes: {}, children: [], text: '' }
  const open = [root]
  tokens.lastIndex = 0
  while (tokens.lastIndex < xml.length) {
    const at = tokens.lastIndex
    const groups = tokens.exec(xml)?.groups
    if (groups === undefined && tokens.lastIndex === 0) throw new Error(`unexpected ${JSON.stringify(xml.slice(at, at + 20))}`)
    take(open, groups ?? {})
    if (open.length > deepest) throw new Error(`it is nested deeper than ${deepest}`)
  }
  const [element, second] = root.children
  if (open.length !== 1 || element === undefined || second !== undefined || root.text.trim() !== '') {
    throw new Error('it is not one complete document')
  }
  return element
}

function take(open: Building[], token: Partial<Record<string, string>>): void {
  const top = open.at(-1)
  if (top === undefined) return
  if (token['text'] !== undefined) top.text += decode(token['text'])
  else if (token['cdata'] !== undefined) top.text += token['cdata']
  else if (token['open'] !== undefined) {
    open.push({ name: token['open'], attributes: readAttributes(token['attributes'] ?? ''), children: [], text: '' })
    if (token['empty'] === '/') close(open)
  } else if (token['close'] !== undefined) {
    if (token['close'] !== top.name) throw new Error(`</${token['close']}> where </${top.name}> should be`)
    close(open)
  }
}

function close(open: Building[]): void {
  const done = open.pop()
  if (done !== undefined) open.at(-1)?.children.push({ ...done, text: done.text.trim() })
}

function readAttributes(text: string): Record<string, string> {
  const found: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [, name = '', double, single] of text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    found[name] = decode(double ?? single ?? '')
  }
  return found
}

function decode(text: string): string {
  return text.replaceAll(/&([^;\s]*);?/g, (whole, name: string) => {
    const [, hex, decimal] = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name) ?? []
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    const character = entities[name]
    if (character === undefined || !whole.endsWith(';')) throw new Error(`unknown entity ${whole}`)
    return character
  })
}

/** The first element along a path of names, if it is there. */
export function find(element: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((at, name) => at?.children.find((child) => child.name === name), element)
}

/** Every direct child of that name. */
export function all(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? []
}
