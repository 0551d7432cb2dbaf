import { XmlElement } from '@rgrove/parse-xml'
import { exliarErrors } from '../errors.ts'
import { elements, find, readXml, type XmlDocument } from './xml-document.ts'

/*
 * Each edit replaces one piece of the text and reads it again, so what was not meant stays as it was to the byte, and a
 * text that were broken would be noticed at once.
 */

/** An element that is to be written. */
export interface NewElement {
  readonly name: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly children?: readonly NewElement[]
}

/** Sets an attribute, where it stands or as the last one; undefined takes it away. */
export function setAttribute(document: XmlDocument, element: XmlElement, name: string, value: string | undefined): XmlDocument {
  const tag = startTag(document, element)
  const at = tag.attributes.get(name)
  if (at === undefined)
    return value === undefined ? document : splice(document, tag.namesEnd, tag.namesEnd, ` ${pair(name, value)}`)
  return splice(document, at.start, at.end, value === undefined ? '' : ` ${pair(name, value)}`)
}

/** Adds an element inside another on a line of its own: after another one, as the first, or as the last. */
export function insertElement(
  document: XmlDocument,
  parent: XmlElement,
  child: NewElement,
  after: XmlElement | 'start' | undefined = elements(parent).at(-1),
): XmlDocument {
  const indent = indentOf(document.text, parent)
  const line = `\n${indent}  ${write(child, `${indent}  `)}`
  if (after instanceof XmlElement) return splice(document, after.end, after.end, line)
  const { end, empty } = startTag(document, parent)
  if (empty) return splice(document, end - 2, end, `>${line}\n${indent}</${parent.name}>`)
  const closing = /^\s/.test(document.text.slice(end, end + 1)) ? '' : `\n${indent}`
  return splice(document, end, end, `${line}${closing}`)
}

/** Takes an element away, with the white space before it on its line. */
export function removeElement(document: XmlDocument, element: XmlElement): XmlDocument {
  const before = /\n?[ \t]*$/.exec(document.text.slice(0, element.start))
  return splice(document, before?.index ?? element.start, element.end, '')
}

/** The element at a path below the root, made where it is missing. */
export function ensureElement(document: XmlDocument, ...path: readonly string[]): readonly [XmlDocument, XmlElement] {
  let edited = document
  for (let depth = 1; depth <= path.length; depth++) {
    const name = path[depth - 1] ?? ''
    const parent = find(edited.root, ...path.slice(0, depth - 1)) ?? edited.root
    if (find(parent, name) === undefined) edited = insertElement(edited, parent, { name })
  }
  return [edited, find(edited.root, ...path) ?? edited.root]
}

function splice({ text }: XmlDocument, start: number, end: number, replacement: string): XmlDocument {
  return readXml(text.slice(0, start) + replacement + text.slice(end))
}

function write({ name, attributes = {}, children = [] }: NewElement, indent: string): string {
  const tag = [name, ...Object.entries(attributes).map(([key, value]) => pair(key, value))].join(' ')
  if (children.length === 0) return `<${tag}/>`
  return `<${tag}>${children.map((child) => `\n${indent}  ${write(child, `${indent}  `)}`).join('')}\n${indent}</${name}>`
}

const references: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' }

function pair(name: string, value: string): string {
  // Everything that no document may hold, in whichever way it is written. Source: XML 1.0 §2.2.
  if (/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u.test(value)) {
    throw exliarErrors.error('VM_CONFIG_INVALID', {
      reason: `${JSON.stringify(value.slice(0, 80))} holds characters that no XML may hold`,
    })
  }
  const escaped = value.replaceAll(/[&<>'"\t\n\r]/g, (character) => references[character] ?? `&#${character.codePointAt(0)};`)
  return `${name}='${escaped}'`
}

interface StartTag {
  /** Where the tag ends, after its `>`. */
  readonly end: number
  readonly empty: boolean
  /** Where the last attribute ends, or the name. */
  readonly namesEnd: number
  /** Each with the white space before it. */
  readonly attributes: ReadonlyMap<string, { readonly start: number; readonly end: number }>
}

/** The text was already read as well-formed, so the tag needs no more than this. */
function startTag({ text }: XmlDocument, element: XmlElement): StartTag {
  const attributes = new Map<string, { start: number; end: number }>()
  const next = /\s+([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')/y
  let namesEnd = element.start + 1 + element.name.length
  next.lastIndex = namesEnd
  for (let match = next.exec(text); match !== null; match = next.exec(text)) {
    attributes.set(match[1] ?? '', { start: namesEnd, end: next.lastIndex })
    namesEnd = next.lastIndex
  }
  const end = text.indexOf('>', namesEnd) + 1
  return { end, empty: text[end - 2] === '/', namesEnd, attributes }
}

/** White space an element's line begins with; none when something else stands before it on its line. */
function indentOf(text: string, element: XmlElement): string {
  return /(?:^|\n)([ \t]*)$/.exec(text.slice(0, element.start))?.[1] ?? ''
}
