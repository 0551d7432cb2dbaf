import type { PlatformError } from '@backplane/sdk'
import { rpcErrors } from './errors.ts'
import { isPlain } from './plain-value.ts'
import { takeParts } from './value-parts.ts'

/** One message ready to be sent: the JSON text of an array, and its parts. */
export interface Encoded {
  readonly text: string
  readonly parts: readonly Uint8Array[]
}

/**
 * Writes the last two fields of a message, a value and the places of its parts, each with the comma before it; both
 * are left out when there is nothing to say. Errors: `RPC_VALUE_UNSUPPORTED`, `RPC_TOO_DEEP`.
 */
export function encodeValue(value: unknown, depth: number): Encoded {
  if (value === undefined) return nothing
  if (isPlain(value, depth)) return { text: `,${JSON.stringify(value)}`, parts: noParts }
  const { json, places, parts } = takeParts(value, depth)
  const text = JSON.stringify(json) as string | undefined
  if (text === undefined) return nothing
  return { text: parts.length === 0 ? `,${text}` : `,${text},${JSON.stringify(places)}`, parts }
}

/** The parts of a message that has none. */
export const noParts: readonly Uint8Array[] = []

const nothing: Encoded = { text: '', parts: noParts }

/** Text counts by its UTF-16 units, which is never more than its bytes. */
export function sizeOf(text: string, parts: readonly Uint8Array[]): number {
  let size = text.length
  for (const part of parts) size += part.byteLength
  return size
}

/** Errors: `RPC_MESSAGE_TOO_LARGE` when the message does not fit into `limit` bytes, parts and frame head included. */
export function checkSize(text: string, parts: readonly Uint8Array[], limit: number): void {
  let partBytes = headBytes
  for (const part of parts) partBytes += part.byteLength + lengthWordBytes
  // UTF-8 takes at most three bytes a unit; counting exactly walks the text.
  if (text.length * 3 + partBytes <= limit) return
  const bytes = Buffer.byteLength(text) + partBytes
  if (bytes > limit) throw rpcErrors.error('RPC_MESSAGE_TOO_LARGE', { bytes, limit })
}

const headBytes = 8
const lengthWordBytes = 4

/** Every way a message can be wrong reads alike. */
export function malformed(problem: string, cause?: unknown): PlatformError {
  return rpcErrors.error('RPC_BAD_MESSAGE', { problem }, { cause })
}

/** Reads a whole number ≥ `least`. */
export function wholeNumber(field: unknown, name: string, least: number): number {
  if (typeof field === 'number' && Number.isSafeInteger(field) && field >= least) return field
  throw malformed(`${name} must be a whole number of at least ${String(least)}`)
}

/** Reads a string. */
export function string(field: unknown, name: string): string {
  if (typeof field === 'string') return field
  throw malformed(`${name} must be a string`)
}
