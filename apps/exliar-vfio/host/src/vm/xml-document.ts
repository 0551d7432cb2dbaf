import { parseXml, XmlElement, XmlText } from '@rgrove/parse-xml'
import { exliarErrors } from '../errors.ts'

/** A document and the text it was read from: every element knows where it stands, so that an edit touches nothing else. */
export interface XmlDocument {
  readonly text: string
  readonly root: XmlElement
}

/** Longest document that is read, in UTF-16 units; libvirt's own limit on what it takes is about the same. */
export const longestXml: number = 4 * 1024 * 1024

/**
 * Reads a document. What could make two readers see two things is refused: a document type, entities of its own, carriage
 * returns. Errors: `VM_XML_INVALID`.
 */
export function readXml(text: string): XmlDocument {
  if (text.length > longestXml) throw invalid(`it is longer than ${longestXml} characters`)
  if (/[\r\uFEFF]/.test(text)) throw invalid('it has carriage returns or a byte order mark')
  try {
    const { children } = parseXml(text, { includeOffsets: true, preserveDocumentType: true })
    if (children.some(({ type }) => type === 'doctype')) throw new Error('it has a document type')
    const root = children.find((child) => child instanceof XmlElement)
    if (root === undefined) throw new Error('it has no element')
    return { text, root }
  } catch (error) {
    throw invalid(error instanceof RangeError ? 'it is nested too deeply' : firstLine(error), error)
  }
}

function invalid(reason: string, cause?: unknown): Error {
  return exliarErrors.error('VM_XML_INVALID', { reason }, { cause })
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? ''
}

/** The elements directly inside, of one name where one is given. */
export function elements(of: XmlElement | undefined, name?: string): XmlElement[] {
  return (of?.children ?? []).filter(
    (child) => child instanceof XmlElement && (name === undefined || child.name === name),
  ) as XmlElement[]
}

/** The first element along a path of names. */
export function find(from: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((at, name) => elements(at, name)[0], from)
}

/** The text directly inside, trimmed. */
export function textOf(element: XmlElement | undefined): string {
  const parts = (element?.children ?? []).filter((child) => child instanceof XmlText)
  return parts
    .map(({ text }) => text)
    .join('')
    .trim()
}

/** The value of one attribute. */
export function attribute(element: XmlElement | undefined, name: string): string | undefined {
  return element !== undefined && Object.hasOwn(element.attributes, name) ? element.attributes[name] : undefined
}
