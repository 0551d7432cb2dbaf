import { rpcErrors } from './errors.ts'

/** The arrays around a value: the batch and its message. */
const envelopeDepth = 2
/** A parser gets through this much of anything in a few milliseconds; more is looked at before. */
export const parseAtOnceUnits: number = 64 * 1024

/** What one turn of the event loop can deal with; a session's own batches hold at most half as many. */
export const messagesPerBatch: number = 4096

/**
 * Parses the control text of a batch, a JSON array of messages, which nothing vouches for. Large texts are scanned for
 * their depth before: a parser that is handed megabytes of brackets blocks for most of a second.
 * Errors: `RPC_TOO_DEEP`, `RPC_BAD_MESSAGE`, `RPC_PROTOTYPE_KEY`.
 */
export function parseBatch(text: string, depth: number): readonly (readonly unknown[])[] {
  const limit = depth + envelopeDepth
  if (text.length > parseAtOnceUnits && deeperThan(text, limit)) throw rpcErrors.error('RPC_TOO_DEEP', { limit: depth })
  const batch = parseTrusted(text)
  const flaw = flawOf(batch, limit)
  if (flaw === undefined) return batch
  if (flaw === 'depth') throw rpcErrors.error('RPC_TOO_DEEP', { limit: depth })
  if (flaw === 'infinity') throw rpcErrors.error('RPC_BAD_MESSAGE', { problem: 'a number is too large' })
  throw rpcErrors.error('RPC_PROTOTYPE_KEY', { key: flaw })
}

/** Parses a batch of a peer that looked at the values itself: only its form is checked. Errors: `RPC_BAD_MESSAGE`. */
export function parseTrusted(text: string): readonly (readonly unknown[])[] {
  const batch = parse(text)
  if (!Array.isArray(batch) || !batch.every(Array.isArray)) {
    throw rpcErrors.error('RPC_BAD_MESSAGE', { problem: 'a batch must be an array of arrays' })
  }
  if (batch.length > messagesPerBatch) {
    throw rpcErrors.error('RPC_BAD_MESSAGE', { problem: `a batch holds at most ${messagesPerBatch} messages` })
  }
  return batch
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw rpcErrors.error('RPC_BAD_MESSAGE', { problem: 'it is not JSON' })
  }
}

/**
 * What is wrong with a parsed value: `depth` when it is nested deeper than `depth`, `infinity` for a number such as
 * 1e400, or the key that programs take for a prototype, which is `__proto__`, or `constructor` holding a `prototype`.
 */
export function flawOf(value: unknown, depth: number): Flaw | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'infinity'
  if (typeof value !== 'object' || value === null) return undefined
  if (depth <= 0) return 'depth'
  return Array.isArray(value) ? flawOfList(value, depth - 1) : flawOfObject(value as Record<string, unknown>, depth - 1)
}

/** What {@link flawOf} finds. */
export type Flaw = 'depth' | 'infinity' | '__proto__' | 'constructor.prototype'

// Both pass over texts without a call: this looks at everything that arrives.

function flawOfList(list: readonly unknown[], depth: number): Flaw | undefined {
  for (let at = 0; at < list.length; at++) {
    const member = list[at]
    const flaw = typeof member === 'string' ? undefined : flawOf(member, depth)
    if (flaw !== undefined) return flaw
  }
  return undefined
}

function flawOfObject(object: Record<string, unknown>, depth: number): Flaw | undefined {
  for (const key in object) {
    if (key === '__proto__') return key
    const member = object[key]
    if (typeof member === 'string') continue
    if (key === 'constructor' && holdsPrototype(member)) return 'constructor.prototype'
    const flaw = flawOf(member, depth)
    if (flaw !== undefined) return flaw
  }
  return undefined
}

function holdsPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}

/** What a parsed value holds, in units of its JSON text and never more than that has. */
export function weightOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 1
  let weight = 1
  if (Array.isArray(value)) for (const member of value) weight += weightOf(member)
  else for (const [key, member] of Object.entries(value)) weight += key.length + weightOf(member)
  return weight
}

const quote = 0x22
const backslash = 0x5c
/** `[` and `{`, and `]` and `}`, differ in this bit only. */
const curly = 0x20
const opener = 0x7b
const closer = 0x7d

/** Whether arrays and objects are nested deeper than `limit`. Strings are skipped; nothing else is checked. */
export function deeperThan(text: string, limit: number): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === quote) {
      at = endOfString(text, at)
    } else if ((unit | curly) === opener) {
      if (++depth > limit) return true
    } else if ((unit | curly) === closer) {
      depth--
    }
  }
  return false
}

/** Index of the quote that closes the string opened at `start`, or of the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === quote) return at
    if (unit === backslash) at++
  }
  return text.length
}
