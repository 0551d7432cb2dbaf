import { prototypeKey } from './control-text.ts'
import { rpcErrors } from './errors.ts'

/** A value made ready for the wire: JSON with `null` where bytes were, and the bytes. */
export interface TakenValue {
  readonly json: unknown
  /** Where the parts belong: member names or indices; `[null]` when the value itself is bytes. Undefined: no parts. */
  readonly places: readonly (string | number | null)[] | undefined
  readonly parts: readonly Uint8Array[]
}

/** Most parts one message may carry. */
export const partsPerMessage = 1024

const noParts: readonly Uint8Array[] = []

/**
 * Takes the bytes out of a value and refuses what would not arrive as it is. Legal is what JSON holds, and a
 * `Uint8Array` as the value or as a direct member of it. Members that are undefined are left out, in arrays they become
 * null. Objects with `toJSON`, such as dates, travel as what it returns; other instances as their own members.
 * Errors: `RPC_VALUE_UNSUPPORTED` with the path, `RPC_TOO_DEEP`.
 */
export function takeParts(value: unknown, depth: number): TakenValue {
  if (value instanceof Uint8Array) return { json: null, places: [null], parts: [usable(value, [])] }
  const bytes = findBytes(value, depth)
  if (bytes === undefined) return { json: value, places: undefined, parts: noParts }
  if (bytes.length > partsPerMessage) refuse([], `an object with more than ${String(partsPerMessage)} byte members`)
  const json = (Array.isArray(value) ? value.slice() : { ...(value as object) }) as Record<string | number, unknown>
  const parts = bytes.map((place) => usable(json[place] as Uint8Array, [place]))
  for (const place of bytes) json[place] = null
  return { json, places: bytes, parts }
}

/** Puts the parts of one message back. `next` hands out the parts of the batch in order. Errors: `RPC_BAD_MESSAGE`. */
export function putParts(json: unknown, places: unknown, next: () => Uint8Array): unknown {
  if (places === undefined) return json
  if (!Array.isArray(places) || places.length === 0) throw misplaced('places must be a list')
  if (places[0] === null) {
    if (places.length > 1 || json !== null) throw misplaced('bytes in place of the value must be alone')
    return next()
  }
  if (typeof json !== 'object' || json === null) throw misplaced('there is no object to put bytes into')
  for (const place of places) {
    const legal = Array.isArray(json) ? Number.isSafeInteger(place) : typeof place === 'string'
    if (!legal || !Object.hasOwn(json, place) || Reflect.get(json, place) !== null) throw misplaced('a place is not null')
    Reflect.set(json, place, next())
  }
  return json
}

function misplaced(problem: string): Error {
  return rpcErrors.error('RPC_BAD_MESSAGE', { problem })
}

/** Keys of the direct members that are bytes, undefined when there are none; throws for what cannot cross. */
function findBytes(value: unknown, depth: number): (string | number)[] | undefined {
  if (typeof value !== 'object' || value === null) {
    check(value, depth, [])
    return undefined
  }
  if (!isJsonObject(value, [])) return undefined
  let found: (string | number)[] | undefined
  const list = Array.isArray(value)
  for (const key in value) {
    const member: unknown = (value as Record<string, unknown>)[key]
    if (member instanceof Uint8Array) (found ??= []).push(list ? Number(key) : key)
    else checkMember(key, member, depth - 1, [])
  }
  return found
}

type Path = readonly (string | number)[]

function check(value: unknown, depth: number, path: Path): void {
  switch (typeof value) {
    case 'number':
      if (!Number.isFinite(value)) refuse(path, String(value))
      return
    case 'bigint':
    case 'function':
    case 'symbol':
      return refuse(path, `a ${typeof value}`)
    case 'object':
      if (value === null) return
      if (depth <= 0) throw rpcErrors.error('RPC_TOO_DEEP', { limit: 'the depth both sides take' })
      if (!isJsonObject(value, path)) return
      for (const key in value) checkMember(key, (value as Record<string, unknown>)[key], depth - 1, path)
      return
    case 'string':
    case 'boolean':
    case 'undefined':
  }
}

function checkMember(key: string, member: unknown, depth: number, path: Path): void {
  if (typeof member === 'string' || member === undefined) {
    if (key === '__proto__') refuse([...path, key], 'a name programs take for a prototype')
    return
  }
  if (key === '__proto__' || (key === 'constructor' && prototypeKey({ constructor: member }) !== undefined)) {
    refuse([...path, key], 'a name programs take for a prototype')
  }
  if (typeof member === 'object' ? member !== null : typeof member !== 'boolean') check(member, depth, [...path, key])
}

/** False when `toJSON` decides; throws for objects JSON would silently empty. */
function isJsonObject(value: object, path: Path): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === Array.prototype || prototype === null) {
    return !('toJSON' in value) || typeof value.toJSON !== 'function'
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    refuse(path, value instanceof Uint8Array ? 'bytes deeper than a direct member' : 'a buffer other than a Uint8Array')
  }
  if (value instanceof Map || value instanceof Set || value instanceof Promise || value instanceof WeakMap) {
    refuse(path, `a ${value.constructor.name}`)
  }
  return !('toJSON' in value) || typeof value.toJSON !== 'function'
}

/** A part that was handed over before has lost its bytes; sending the empty rest would corrupt data silently. */
function usable(part: Uint8Array, path: Path): Uint8Array {
  if (part.buffer instanceof ArrayBuffer && part.buffer.detached) refuse(path, 'bytes that were already handed over')
  return part
}

function refuse(path: Path, what: string): never {
  const where = path.length === 0 ? 'it' : path.map((key) => `.${key}`).join('')
  throw rpcErrors.error('RPC_VALUE_UNSUPPORTED', { path: where, what })
}
