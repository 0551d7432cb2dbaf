import { rpcErrors } from './errors.ts'

/** Arrays around a value on the wire: the batch and the message. */
const envelopeDepth = 2

/**
 * Parses the control text of a batch, which nothing vouches for. Depth is counted before parsing, because a parser that
 * is handed megabytes of brackets blocks for most of a second.
 * Errors: `RPC_TOO_DEEP`, `RPC_BAD_MESSAGE`, `RPC_PROTOTYPE_KEY`.
 */
export function parseBatch(text: string, depth: number): readonly unknown[] {
  if (deeperThan(text, depth + envelopeDepth)) throw rpcErrors.error('RPC_TOO_DEEP', { limit: depth })
  let batch: unknown
  try {
    batch = JSON.parse(text)
  } catch {
    throw rpcErrors.error('RPC_BAD_MESSAGE', { problem: 'it is not JSON' })
  }
  if (!Array.isArray(batch)) throw rpcErrors.error('RPC_BAD_MESSAGE', { problem: 'a batch must be an array' })
  if (mayNamePrototype(text)) {
    const key = prototypeKey(batch)
    if (key !== undefined) throw rpcErrors.error('RPC_PROTOTYPE_KEY', { key })
  }
  return batch
}

const quote = 0x22
const backslash = 0x5c

/** Whether arrays and objects are nested deeper than `limit`; strings are skipped, nothing else is checked. */
export function deeperThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === quote) {
      at = endOfString(text, at)
      if (at < 0) return false
    } else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > limit) return true
    } else if (unit === 0x5d || unit === 0x7d) {
      depth--
    }
  }
  return false
}

/** Index of the quote that closes the string opened at `start`, or -1. */
function endOfString(text: string, start: number): number {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end < 0) return -1
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
}

/** Cheap and may be wrong on the safe side: an escape may hide any name. */
function mayNamePrototype(text: string): boolean {
  return text.includes('__proto__') || text.includes('"constructor"') || text.includes('\\u')
}

/** The first key of `value` that programs take for a prototype: `__proto__`, or `constructor` holding a `prototype`. */
export function prototypeKey(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, '__proto__')) return '__proto__'
  const made: unknown = Object.hasOwn(value, 'constructor') ? Reflect.get(value, 'constructor') : undefined
  if (typeof made === 'object' && made !== null && Object.hasOwn(made, 'prototype')) return 'constructor.prototype'
  for (const member of Object.values(value)) {
    const key = prototypeKey(member)
    if (key !== undefined) return key
  }
  return undefined
}
