import { flawOf } from './control-text.ts'
import { rpcErrors } from './errors.ts'

/** Where a part belongs: a member's name, an index, or null for the value itself. */
export type Place = string | number | null

/** A value made ready for the wire: JSON with `null` where bytes were, and the bytes with their places. */
export interface TakenValue {
  readonly json: unknown
  readonly places: readonly Place[]
  readonly parts: readonly Uint8Array[]
}

/** Most parts one message may carry. */
export const partsPerMessage = 1024

/**
 * Takes the bytes out of a value that is not plain JSON, and refuses what would not arrive as it is. Legal is what JSON holds, and a
 * `Uint8Array` as the value or as a direct member of it. Members that are undefined are left out, in arrays they become
 * null. Objects with `toJSON`, such as dates, travel as what it returns; other instances as their own members.
 * Errors: `RPC_VALUE_UNSUPPORTED` with the path, `RPC_TOO_DEEP`.
 */
export function takeParts(value: unknown, depth: number): TakenValue {
  const copy = new PlainCopy(depth)
  const json = copy.of(value, depth, [])
  return { json, places: copy.places, parts: copy.parts }
}

/** Puts the parts of one message back. `next` hands out the parts of the batch in order. Errors: `RPC_BAD_MESSAGE`. */
export function putParts(json: unknown, places: unknown, next: () => Uint8Array): unknown {
  if (places === undefined) return json
  if (!Array.isArray(places) || places.length === 0) throw misplaced('places must be a list')
  if (places[0] === null) {
    if (places.length > 1 || json !== null) throw misplaced('bytes in place of the value must be alone')
    return next()
  }
  if (typeof json !== 'object' || json === null) throw misplaced('there is nothing to put bytes into')
  for (const place of places as unknown[]) {
    const legal = typeof place === (Array.isArray(json) ? 'number' : 'string')
    const key = place as string | number
    if (!legal || !Object.hasOwn(json, key) || Reflect.get(json, key) !== null) throw misplaced('a place is not null')
    Reflect.set(json, key, next())
  }
  return json
}

function misplaced(problem: string): Error {
  return rpcErrors.error('RPC_BAD_MESSAGE', { problem })
}

/** A part that was handed over before has lost its bytes; sending the empty rest would corrupt data silently. */
export function checkPresent(part: Uint8Array): void {
  if (part.buffer instanceof ArrayBuffer && part.buffer.detached) refuse([], 'made of bytes that were already handed over')
}

type Path = readonly (string | number)[]

/** Copies a value that is not plain JSON into what is, with the bytes set aside; throws what is wrong where. */
class PlainCopy {
  readonly places: Place[] = []
  readonly parts: Uint8Array[] = []
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  of(value: unknown, depth: number, path: Path): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
      case 'undefined':
        return value
      case 'number':
        return Number.isFinite(value) ? value : refuse(path, String(value))
      case 'object':
        return value === null ? null : this.#ofObject(value, depth, path)
      case 'bigint':
      case 'function':
      case 'symbol':
        return refuse(path, `a ${typeof value}`)
    }
  }

  #ofObject(value: object, depth: number, path: Path): unknown {
    if (value instanceof Uint8Array) return this.#setAside(value, path)
    if (depth <= 0) throw this.#tooDeep()
    const lost = emptiedByJson.find(([kind]) => value instanceof kind)
    if (lost !== undefined) refuse(path, lost[1])
    if (ArrayBuffer.isView(value)) refuse(path, 'a view other than a Uint8Array')
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.#ownJson(value, depth, path)
    if (Array.isArray(value)) return value.map((member, index) => this.of(member, depth - 1, [...path, index]) ?? null)
    const copy: Record<string, unknown> = {}
    for (const [key, member] of Object.entries(value)) {
      const inner = [...path, key]
      if (key === '__proto__') refuse(inner, prototypeName)
      copy[key] = this.of(member, depth - 1, inner)
      if (key === 'constructor' && flawOf({ constructor: copy[key] }, 2) === 'constructor.prototype') refuse(inner, prototypeName)
    }
    return copy
  }

  #setAside(part: Uint8Array, path: Path): null {
    if (path.length > 1) refuse(path, 'bytes deeper than a direct member')
    checkPresent(part)
    if (this.parts.length === partsPerMessage) refuse([], `something with more than ${String(partsPerMessage)} byte members`)
    this.places.push(path[0] ?? null)
    this.parts.push(part)
    return null
  }

  /** What the value's own `toJSON` makes of it, held to the same rules as what a peer sends. */
  #ownJson(value: object, depth: number, path: Path): unknown {
    let text: string | undefined
    try {
      text = JSON.stringify(value) as string | undefined
    } catch (error) {
      throw rpcErrors.error('RPC_VALUE_UNSUPPORTED', { path: where(path), what: 'not JSON' }, { cause: error })
    }
    if (text === undefined) return undefined
    const json: unknown = JSON.parse(text)
    const flaw = flawOf(json, depth)
    if (flaw === 'depth') throw this.#tooDeep()
    if (flaw === 'infinity') return refuse(path, 'a number that is too large')
    return flaw === undefined ? json : refuse([...path, flaw], prototypeName)
  }

  #tooDeep(): Error {
    return rpcErrors.error('RPC_TOO_DEEP', { limit: this.#limit })
  }
}

/** JSON writes these as `{}`, which loses everything they hold. */
const emptiedByJson: readonly (readonly [new (...args: never) => object, string])[] = [
  [Map, 'a Map'],
  [Set, 'a Set'],
  [Promise, 'a promise'],
  [ArrayBuffer, 'an ArrayBuffer'],
  [SharedArrayBuffer, 'a SharedArrayBuffer'],
]

const prototypeName = 'a name that programs take for a prototype'

function refuse(path: Path, what: string): never {
  throw rpcErrors.error('RPC_VALUE_UNSUPPORTED', { path: where(path), what })
}

function where(path: Path): string {
  return path.length === 0 ? 'it' : path.map((key) => `.${String(key)}`).join('')
}
