import { rpcErrors } from './errors.ts'
import { takeParts } from './value-parts.ts'

/** One message ready to be sent: the JSON text of an array, and its parts. */
export interface Encoded {
  readonly text: string
  readonly parts: readonly Uint8Array[]
}

/**
 * Encodes a message whose last fields are a value and the places of its parts, both left out when there are none.
 * Errors: `RPC_VALUE_UNSUPPORTED`, `RPC_TOO_DEEP`.
 */
export function encode(fields: unknown[], value: unknown, depth: number): Encoded {
  const { json, places, parts } = takeParts(value, depth)
  if (places !== undefined) fields.push(json, places)
  else if (value !== undefined) fields.push(json)
  try {
    return { text: JSON.stringify(fields), parts }
  } catch (error) {
    throw rpcErrors.error('RPC_VALUE_UNSUPPORTED', { path: 'it', what: 'not JSON' }, { cause: error })
  }
}

/** Bytes of a message with its parts; an upper bound is tried first, because counting UTF-8 walks the text. */
export function checkSize(message: Encoded, limit: number): void {
  let partBytes = frameOverheadBytes
  for (const part of message.parts) partBytes += part.byteLength + 4
  if (message.text.length * 3 + partBytes <= limit) return
  const bytes = Buffer.byteLength(message.text) + partBytes
  if (bytes > limit) throw rpcErrors.error('RPC_MESSAGE_TOO_LARGE', { bytes, limit })
}

/** Length words of a frame and the brackets of a batch. */
const frameOverheadBytes = 10

/** Reads the parts of one batch in order. */
export interface PartCursor {
  readonly next: () => Uint8Array
}

/** The ways a message can be wrong all read alike. */
export function malformed(problem: string): Error {
  return rpcErrors.error('RPC_BAD_MESSAGE', { problem })
}

/** A whole number ≥ `least`. */
export function wholeNumber(field: unknown, name: string, least: number): number {
  if (typeof field === 'number' && Number.isSafeInteger(field) && field >= least) return field
  throw malformed(`${name} must be a whole number of at least ${String(least)}`)
}

/** A string. */
export function string(field: unknown, name: string): string {
  if (typeof field === 'string') return field
  throw malformed(`${name} must be a string`)
}
