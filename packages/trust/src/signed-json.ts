import { verify } from 'node:crypto'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { parseEnvelope, preAuthentication, signEnvelope, type Envelope, type EnvelopeJson } from './envelope.ts'
import { trustErrors } from './errors.ts'
import { idOf, readPublicKey } from './key.ts'
import { defaultTrustLimits, type TrustLimits } from './trust-limits.ts'

/** A value out of an envelope. */
export interface OpenedJson {
  /** Undefined where nobody vouches for it: then it is not even parsed. */
  readonly value: unknown
  /** How many of the keys that were asked about signed it. */
  readonly signers: number
}

/** Signs a JSON value of a type with keys (PEM, PKCS #8). Errors: `TRUST_KEY_INVALID`. */
export function signJson(payloadType: string, value: unknown, privateKeys: readonly string[]): EnvelopeJson {
  return signEnvelope(payloadType, value, privateKeys)
}

/**
 * Opens what {@link signJson} signed, and counts whose signatures hold: the caller decides whether that is enough, and must.
 * Keys are PEM, SubjectPublicKeyInfo. Errors: `TRUST_ENVELOPE_INVALID`, also for another type; `TRUST_KEY_INVALID`.
 */
export function openJson(
  signed: unknown,
  payloadType: string,
  publicKeys: readonly string[],
  limits: TrustLimits = defaultTrustLimits,
): OpenedJson {
  const envelope = parseEnvelope(signed, limits)
  if (envelope.payloadType !== payloadType) throw invalid(`its payload is not ${payloadType}`)
  const signers = countSigners(envelope, publicKeys)
  if (signers === 0) return { value: undefined, signers }
  const parsed = parseStrictJson(Buffer.from(envelope.payload).toString('utf8'), 64)
  if (parsed.kind === 'value') return { value: parsed.value, signers }
  throw invalid('its payload is not JSON that has one meaning')
}

/** Counts keys, not signatures: one key given twice is one. Errors: `TRUST_KEY_INVALID`. */
export function countSigners(envelope: Envelope, publicKeys: readonly string[]): number {
  const signed = preAuthentication(envelope.payloadType, envelope.payload)
  const keys = publicKeys.map((pem) => readPublicKey(pem))
  const distinct = new Map(keys.map((key) => [idOf(key), key]))
  return [...distinct.values()].filter((key) => envelope.signatures.some(({ sig }) => verify(null, signed, key, sig))).length
}

function invalid(reason: string): Error {
  return trustErrors.error('TRUST_ENVELOPE_INVALID', { reason })
}
