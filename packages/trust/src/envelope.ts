import { createPublicKey, sign } from 'node:crypto'
import { trustErrors } from './errors.ts'
import { idOf, readPrivateKey } from './key.ts'

/** A signed payload as it is written to a file. Source: DSSE 1.0 (github.com/secure-systems-lab/dsse), envelope.md. */
export interface EnvelopeJson {
  readonly payloadType: string
  /** Base64 with padding, standard alphabet. */
  readonly payload: string
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[]
}

/** An envelope whose shape is right; nothing in it has been verified. */
export interface Envelope {
  readonly payloadType: string
  readonly payload: Uint8Array
  readonly signatures: readonly EnvelopeSignature[]
}

/** One signature of an envelope. */
export interface EnvelopeSignature {
  /** Which key its maker says it is of: a hint where to look first, never a reason to believe. */
  readonly keyid: string | undefined
  readonly sig: Uint8Array
}

/** How much of an envelope is read. */
export interface EnvelopeLimits {
  readonly signatures: number
  readonly payloadBytes: number
}

/**
 * Reads the shape of an envelope. Base64 that decodes to the same bytes as another text is refused, so that one envelope has
 * one spelling; members that DSSE does not name are ignored. Errors: `TRUST_ENVELOPE_INVALID`.
 */
export function parseEnvelope(value: unknown, limits: EnvelopeLimits): Envelope {
  if (!isRecord(value)) throw invalid('it is no object')
  const { payloadType, payload, signatures } = value
  if (typeof payloadType !== 'string') throw invalid('payloadType is no text')
  if (typeof payload !== 'string') throw invalid('payload is no text')
  if (payload.length > Math.ceil(limits.payloadBytes / 3) * 4) {
    throw invalid(`payload is longer than ${limits.payloadBytes} bytes`)
  }
  if (!Array.isArray(signatures) || signatures.length === 0) throw invalid('nobody signed it')
  if (signatures.length > limits.signatures) {
    throw invalid(`it has ${signatures.length} signatures; at most ${limits.signatures} are read`)
  }
  return {
    payloadType,
    payload: fromBase64(payload, 'payload'),
    signatures: signatures.map((each: unknown, index) => parseSignature(each, index)),
  }
}

function parseSignature(value: unknown, index: number): EnvelopeSignature {
  const place = `signatures[${index}]`
  if (!isRecord(value)) throw invalid(`${place} is no object`)
  const { keyid, sig } = value
  if (keyid !== undefined && typeof keyid !== 'string') throw invalid(`${place}.keyid is no text`)
  if (typeof sig !== 'string') throw invalid(`${place}.sig is no text`)
  if (sig.length > 1024) throw invalid(`${place}.sig is no signature`)
  return { keyid: keyid === '' ? undefined : keyid, sig: fromBase64(sig, `${place}.sig`) }
}

/** Puts a payload into an envelope, signed by each of the keys (PEM, PKCS #8). Errors: `TRUST_KEY_INVALID`. */
export function signEnvelope(payloadType: string, payload: unknown, privateKeys: readonly string[]): EnvelopeJson {
  const bytes = Buffer.from(JSON.stringify(payload))
  const signed = preAuthentication(payloadType, bytes)
  return {
    payloadType,
    payload: bytes.toString('base64'),
    signatures: privateKeys.map((pem) => {
      const key = readPrivateKey(pem)
      return { keyid: idOf(createPublicKey(key)), sig: sign(null, signed, key).toString('base64') }
    }),
  }
}

/** The bytes that are signed: type and payload, each with its length, so that neither passes for the other. Source: DSSE 1.0, PAE. */
export function preAuthentication(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType)
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload])
}

/** Whether this is an object with members, as JSON has them. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fromBase64(text: string, place: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalid(`${place} is not base64 in its one standard spelling`)
  return bytes
}

function invalid(reason: string): Error {
  return trustErrors.error('TRUST_ENVELOPE_INVALID', { reason })
}
