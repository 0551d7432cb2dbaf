import { keyringOf } from './keyring.ts'
import type { Publisher, Signer, TrustPolicy } from './policy.ts'
import type { Testimony, Witness } from './testimony.ts'

/** How many of a publisher's signers vouch, and who is missing. */
export interface Vouching {
  readonly count: number
  readonly threshold: number
  /** Those that did not sign, as the policy names them. */
  readonly missing: readonly string[]
  /** Keys that the policy names and does not hold. */
  readonly withoutKey: readonly string[]
}

/** The publisher that may publish an id: the one with the longest pattern that fits. */
export function publisherOf(id: string, publishers: readonly Publisher[] = []): Publisher | undefined {
  const all = `${id.slice(0, Math.max(id.indexOf('/'), 0))}/*`
  for (const pattern of [id, all, '*']) {
    const found = publishers.find(({ ids }) => ids === pattern)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Counts signers, not signatures: each signer of the policy at most once, and each key or identity for one signer at most.
 * A threshold that is none cannot be met.
 * Signers that name exactly one go first, so that a pattern does not use up what only they could take.
 */
export function countVouching({ threshold = 1, signers }: Publisher, policy: TrustPolicy, said: readonly Testimony[]): Vouching {
  const ring = keyringOf(policy)
  const left = new Map(said.flatMap((each) => (each.kind === 'vouches' ? [[JSON.stringify(each.by), each.by] as const] : [])))
  const missing: string[] = []
  let count = 0
  const exactFirst = signers.toSorted((one, other) => reach(one) - reach(other))
  for (const signer of exactFirst) {
    const found = [...left].find(([, witness]) =>
      isSigner(witness, signer, ring.byName.get('key' in signer ? signer.key : '')?.id),
    )
    if (found === undefined) missing.push(nameOf(signer))
    else {
      count += 1
      left.delete(found[0])
    }
  }
  const withoutKey = signers.flatMap((signer) => ('key' in signer && !ring.byName.has(signer.key) ? [signer.key] : []))
  return { count, threshold: Number.isInteger(threshold) && threshold >= 1 ? threshold : Infinity, missing, withoutKey }
}

function isSigner(witness: Witness, signer: Signer, keyId: string | undefined): boolean {
  if ('key' in signer) return witness.kind === 'key' && witness.id === keyId
  if (witness.kind !== 'identity' || witness.issuer !== signer.issuer) return false
  return matchesBeginning(witness.identity, signer.identity)
}

/** Whether a text is this one, or begins with it where it ends in `*`. */
export function matchesBeginning(text: string, pattern: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern
}

/** 0 for a signer that is exactly one; else the more, the shorter its pattern. */
function reach(signer: Signer): number {
  return 'key' in signer || !signer.identity.endsWith('*') ? 0 : 1 / signer.identity.length
}

function nameOf(signer: Signer): string {
  return 'key' in signer ? `key ${signer.key}` : signer.identity
}
