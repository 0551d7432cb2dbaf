import type { KeyObject } from 'node:crypto'
import { idOf, readPublicKey } from './key.ts'
import type { TrustedKey, TrustPolicy } from './policy.ts'

/** A key of the policy, ready for use. One key may stand in a policy under several names: what any of them forbids, is forbidden. */
export interface HeldKey {
  readonly id: string
  readonly names: readonly string[]
  readonly key: KeyObject
  readonly entries: readonly TrustedKey[]
}

/** The keys of a policy. */
export interface Keyring {
  readonly held: readonly HeldKey[]
  /** By every name in the policy and by id. */
  readonly byName: ReadonlyMap<string, HeldKey>
  /** Names whose key cannot be read. */
  readonly unreadable: ReadonlySet<string>
}

/** Reading a key takes longer than asking it; a policy's keys are read once. */
const rings = new WeakMap<object, Keyring>()
const empty: Keyring = { held: [], byName: new Map(), unreadable: new Set() }

/** The keys of this policy, each read once. */
export function keyringOf({ keys }: TrustPolicy): Keyring {
  if (keys === undefined) return empty
  const known = rings.get(keys)
  if (known !== undefined) return known
  const ring = readKeys(keys)
  rings.set(keys, ring)
  return ring
}

function readKeys(keys: Readonly<Record<string, TrustedKey>>): Keyring {
  const byId = new Map<string, { key: KeyObject; names: string[]; entries: TrustedKey[] }>()
  const unreadable = new Set<string>()
  for (const [name, entry] of Object.entries(keys)) {
    try {
      const key = readPublicKey(entry.publicKey)
      const same = byId.get(idOf(key)) ?? { key, names: [], entries: [] }
      same.names.push(name)
      same.entries.push(entry)
      byId.set(idOf(key), same)
    } catch {
      unreadable.add(name)
    }
  }
  const held = [...byId].map(([id, { key, names, entries }]) => ({ id, key, names, entries }))
  const byName = new Map(held.map((each) => [each.id, each]))
  for (const each of held) for (const name of each.names) byName.set(name, each)
  return { held, byName, unreadable }
}

/** Why a signature that this key made at this time does not count; undefined when it does. */
export function whyNot({ names, entries }: HeldKey, madeAtMs: number): string | undefined {
  for (const { revoked, notBeforeMs, notAfterMs } of entries) {
    if (revoked !== undefined) return `key ${names.join(', ')} is revoked (${revoked})`
    if (notBeforeMs !== undefined && !(madeAtMs >= notBeforeMs)) {
      return `it was made at ${timeText(madeAtMs)}, and key ${names.join(', ')} counts from ${timeText(notBeforeMs)}`
    }
    if (notAfterMs !== undefined && !(madeAtMs <= notAfterMs)) {
      return `it was made at ${timeText(madeAtMs)}, and key ${names.join(', ')} counts until ${timeText(notAfterMs)}`
    }
  }
  return undefined
}

/** A time for people; also of numbers that are no time. */
export function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`
}
