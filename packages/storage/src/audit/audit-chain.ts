import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { AuditEntry, AuditRecord } from '@backplane/kernel'
import { longestLineBytes } from './audit-files.ts'
import { canonicalJson } from './canonical-json.ts'

/** A place in the chain: a record's number and its digest. */
export interface ChainPlace {
  readonly seq: number
  readonly digest: string
}

/** What the first record follows. */
export const chainStart: ChainPlace = Object.freeze({ seq: 0, digest: `sha256:${'0'.repeat(64)}` })

/** Characters of one text of a record; what is longer is cut. */
export const longestText = 500

/** Members in `details`; the rest is left out. */
const mostDetails = 20

/**
 * The record that an entry becomes behind `previous`, and its line without the end of line: never longer than a line that is
 * read as a record, so details that would make it so are left out, and counted.
 */
export function nextRecord(entry: AuditEntry, previous: ChainPlace, key: Uint8Array): { record: AuditRecord; line: string } {
  const { atMs = Date.now(), actor, details, ...rest } = entry
  const unsigned = {
    ...cutMembers(rest),
    actor: cutMembers(actor),
    ...(details === undefined ? {} : { details: cutMembers(Object.fromEntries(Object.entries(details).slice(0, mostDetails))) }),
    seq: previous.seq + 1,
    at: new Date(atMs).toISOString(),
    prev: previous.digest,
  }
  const whole = marked(unsigned, key)
  if (details === undefined || Buffer.byteLength(whole.line) <= longestLineBytes) return whole
  return marked({ ...unsigned, details: { left_out: Object.keys(details).length } }, key)
}

function marked(unsigned: object, key: Uint8Array): { record: AuditRecord; line: string } {
  const digest = digestOf(unsigned)
  const record = { ...unsigned, digest, mac: macOf(digest, key) } as AuditRecord
  return { record, line: canonicalJson(record) }
}

/** What a line holds. */
export type ReadLine =
  | { readonly kind: 'record'; readonly record: AuditRecord }
  /** It has the shape of a record, but what it says is not what its digest was made of, or the key was another. */
  | { readonly kind: 'changed'; readonly record: AuditRecord; readonly what: string }
  | { readonly kind: 'nonsense' }

/** Reads a line and checks what can be checked of it alone; the author only with the key. */
export function readLine(line: string, key: Uint8Array | undefined): ReadLine {
  const record = parseRecord(line)
  if (record === undefined) return { kind: 'nonsense' }
  const { digest, mac, ...unsigned } = record
  if (!isWritten(unsigned, digest) || canonicalJson(record) !== line) {
    return { kind: 'changed', record, what: 'it is not what its digest was made of' }
  }
  if (key !== undefined && !sameText(mac, macOf(digest, key))) {
    return { kind: 'changed', record, what: 'it was not written with the key of this log' }
  }
  return { kind: 'record', record }
}

/** The mark that only who has the key can make. */
export function macOf(text: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(text).digest().subarray(0, 16).toString('base64url')
}

/** Compares without telling by its time where they differ. */
export function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** What is nested too deep for that was not written here. */
function isWritten(unsigned: object, digest: string): boolean {
  try {
    return digestOf(unsigned) === digest
  } catch {
    return false
  }
}

function digestOf(unsigned: object): string {
  return `sha256:${createHash('sha256').update(canonicalJson(unsigned)).digest('hex')}`
}

function parseRecord(line: string): AuditRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { seq, at, prev, digest, mac, actor, action, subject, outcome } = value as Readonly<Record<string, unknown>>
  const texts = [at, prev, digest, mac, action, subject, outcome].every((text) => typeof text === 'string')
  const isActor = typeof actor === 'object' && actor !== null && typeof Reflect.get(actor, 'name') === 'string'
  return texts && isActor && Number.isSafeInteger(seq) && Number(seq) > 0 ? (value as AuditRecord) : undefined
}

function cutMembers(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [cut(name), typeof member === 'string' ? cut(member) : member]),
  )
}

/** Well-formed, so that the text read back has the same digest. */
function cut(text: string): string {
  return (text.length > longestText ? `${text.slice(0, longestText - 1)}…` : text).toWellFormed()
}
