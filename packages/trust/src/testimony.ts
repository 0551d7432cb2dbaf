import { verify } from 'node:crypto'
import { PlatformError } from '@backplane/sdk'
import { parseEnvelope, preAuthentication, type Envelope, type EnvelopeSignature } from './envelope.ts'
import { keyringOf, timeText, whyNot, type HeldKey, type Keyring } from './keyring.ts'
import type { TrustPolicy } from './policy.ts'
import { printable } from './printable.ts'
import { hasPlainKey, isBundle, readBundle } from './sigstore.ts'
import { readStatement, statementPayloadType, type StatementReading } from './statement.ts'
import type { Attestation, Subject } from './subject.ts'
import type { TrustLimits } from './trust-limits.ts'

/** What one signature comes to. */
export type Testimony =
  /** The signer says that these bytes are this package, and may say so now. */
  | { readonly kind: 'vouches'; readonly file: string; readonly by: Witness; readonly reason: string }
  /** Of somebody the policy does not know, or about something else: as if it were not there. */
  | { readonly kind: 'ignored'; readonly file: string; readonly reason: string }
  /** It should hold and does not: worse than none. */
  | { readonly kind: 'broken'; readonly file: string; readonly reason: string }

/** Who vouched. `id` is of the key and not its name. */
export type Witness =
  | { readonly kind: 'key'; readonly id: string }
  | { readonly kind: 'identity'; readonly issuer: string; readonly identity: string }

/** Now, ms since the epoch, and how much is looked at. */
interface Bounds {
  readonly nowMs: number
  readonly limits: TrustLimits
}

/**
 * Everything said about a package, weighed. `likely` are the names of the keys that would
 * count: only they are tried where a signature does not say whose it is; without them, all.
 */
export function weighTestimony(
  subject: Subject,
  policy: TrustPolicy,
  likely: readonly string[],
  bounds: Bounds,
): readonly Testimony[] {
  const scale = new Scale(subject, policy, likely, bounds)
  const { limits } = bounds
  const read = subject.attestations.slice(0, limits.attestations)
  const weighed = read.flatMap((attestation) => scale.weigh(attestation))
  const next = subject.attestations[limits.attestations]
  if (next === undefined) return weighed
  const reason = `there are ${subject.attestations.length} attestations; at most ${limits.attestations} are read`
  return [...weighed, { kind: 'broken', file: next.file, reason }]
}

class Scale {
  readonly #subject: Subject
  readonly #policy: TrustPolicy
  readonly #nowMs: number
  readonly #limits: TrustLimits
  readonly #ring: Keyring
  readonly #candidates: readonly HeldKey[]
  #verificationsLeft: number

  constructor(subject: Subject, policy: TrustPolicy, likely: readonly string[], { nowMs, limits }: Bounds) {
    this.#subject = subject
    this.#policy = policy
    this.#nowMs = nowMs
    this.#limits = limits
    this.#ring = keyringOf(policy)
    const candidates = new Set(likely.flatMap((name) => this.#ring.byName.get(name) ?? []))
    this.#candidates = likely.length === 0 ? this.#ring.held : [...candidates]
    this.#verificationsLeft = limits.verifications
  }

  weigh({ file, content }: Attestation): readonly Testimony[] {
    if (isBundle(content) && !hasPlainKey(content)) return [this.#weighBundle(file, content)]
    let envelope: Envelope
    try {
      envelope = parseEnvelope(isBundle(content) ? content['dsseEnvelope'] : content, this.#limits)
    } catch (error) {
      const reason = error instanceof PlatformError ? error.message : String(error)
      return [{ kind: 'broken', file, reason }]
    }
    const signed = preAuthentication(envelope.payloadType, envelope.payload)
    return envelope.signatures.map((signature) => this.#weighSignature(file, envelope, signature, signed))
  }

  #weighSignature(file: string, envelope: Envelope, signature: EnvelopeSignature, signed: Uint8Array): Testimony {
    const maker = this.#makerOf(signature, signed)
    if (maker === 'gave-up') {
      return { kind: 'broken', file, reason: `more than ${this.#limits.verifications} signatures would have to be tried` }
    }
    if (maker === undefined) {
      const hinted = signature.keyid === undefined ? undefined : this.#ring.byName.get(signature.keyid)
      if (hinted !== undefined) {
        return { kind: 'broken', file, reason: `the signature of key ${hinted.names.join(', ')} is not over what is in it` }
      }
      const whose = signature.keyid === undefined ? 'a key' : `key ${printable(signature.keyid)}`
      return { kind: 'ignored', file, reason: `it is signed with ${whose} that the policy does not hold` }
    }
    const by: Witness = { kind: 'key', id: maker.id }
    const statement = this.#readStatement(file, envelope, false)
    if (statement.kind !== 'vouches') return { ...statement, file }
    const { claimedAtMs } = statement
    if (claimedAtMs !== undefined && claimedAtMs > this.#nowMs + this.#limits.clockSkewMs) {
      return { kind: 'broken', file, reason: `it says it is made at ${timeText(claimedAtMs)}, which is to come` }
    }
    const madeAtMs = claimedAtMs ?? this.#nowMs
    const refusal = whyNot(maker, madeAtMs)
    if (refusal !== undefined) return { kind: 'broken', file, reason: refusal }
    return {
      kind: 'vouches',
      file,
      by,
      reason: `key ${maker.names.join(', ')} signed it at ${timeText(madeAtMs)} (${printable(file)})`,
    }
  }

  /** The key that made a signature, found by trying: the one it names first, because it may lie. */
  #makerOf({ keyid, sig }: EnvelopeSignature, signed: Uint8Array): HeldKey | 'gave-up' | undefined {
    const hinted = keyid === undefined ? undefined : this.#ring.byName.get(keyid)
    const inTurn = hinted === undefined ? this.#candidates : [hinted, ...this.#candidates.filter((each) => each !== hinted)]
    if (sig.length !== ed25519SignatureBytes) return undefined
    for (const each of inTurn) {
      if (this.#verificationsLeft === 0) return 'gave-up'
      this.#verificationsLeft -= 1
      if (verify(null, signed, each.key, sig)) return each
    }
    return undefined
  }

  #weighBundle(file: string, content: Readonly<Record<string, unknown>>): Testimony {
    const { sigstore } = this.#policy
    if (sigstore === undefined) {
      return { kind: 'ignored', file, reason: 'it is a sigstore bundle, and the policy has no sigstore.trustedRoot' }
    }
    if (this.#verificationsLeft === 0) return { kind: 'broken', file, reason: 'too many signatures come before it' }
    this.#verificationsLeft -= 1
    const reading = readBundle(content, sigstore, this.#limits)
    if (reading.kind === 'broken') return { ...reading, file }
    const statement = this.#readStatement(file, reading, true)
    if (statement.kind !== 'vouches') return { ...statement, file }
    const { issuer, identity } = reading
    const by: Witness = { kind: 'identity', issuer, identity }
    return { kind: 'vouches', file, by, reason: `${printable(identity)} (${printable(issuer)}) signed it (${printable(file)})` }
  }

  #readStatement(
    file: string,
    { payloadType, payload }: { readonly payloadType: string; readonly payload: Uint8Array },
    provenance: boolean,
  ): StatementReading {
    if (payloadType !== statementPayloadType) {
      return { kind: 'broken', reason: `its payload is ${printable(payloadType)} and not ${statementPayloadType}` }
    }
    return readStatement(payload, this.#subject, provenance)
  }
}

const ed25519SignatureBytes = 64
