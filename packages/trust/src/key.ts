import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { trustErrors } from './errors.ts'

/** A new pair of keys. */
export interface KeyPair {
  /** See {@link keyId}. */
  readonly id: string
  /** PEM, SubjectPublicKeyInfo: what a policy holds. */
  readonly publicKey: string
  /** PEM, PKCS #8, not encrypted: whoever can read it can publish. */
  readonly privateKey: string
}

/** Makes an Ed25519 key pair. Source: RFC 8032, RFC 8410. */
export function generateKey(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    id: idOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
}

/**
 * The name that a public key gives itself: `sha256:` and the SHA-256 of its SubjectPublicKeyInfo in DER, hexadecimal. Two
 * entries of a policy with the same id are one key. Errors: `TRUST_KEY_INVALID`.
 */
export function keyId(publicKey: string): string {
  return idOf(readPublicKey(publicKey))
}

/** The id of a key that was read already. */
export function idOf(key: KeyObject): string {
  return `sha256:${createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')}`
}

/** Reads a public key of a policy. Errors: `TRUST_KEY_INVALID`, also for a private key in its place. */
export function readPublicKey(pem: string): KeyObject {
  const kind = 'public'
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) throw invalid(kind, 'it does not begin with BEGIN PUBLIC KEY')
  return checked(kind, () => createPublicKey({ key: pem, format: 'pem', type: 'spki' }))
}

/** Reads a private key. Its text never appears in an error. Errors: `TRUST_KEY_INVALID`. */
export function readPrivateKey(pem: string): KeyObject {
  const kind = 'private'
  if (!pem.includes('-----BEGIN PRIVATE KEY-----')) throw invalid(kind, 'it does not begin with BEGIN PRIVATE KEY')
  return checked(kind, () => createPrivateKey({ key: pem, format: 'pem', type: 'pkcs8' }))
}

function checked(kind: 'public' | 'private', read: () => KeyObject): KeyObject {
  let key: KeyObject
  try {
    key = read()
  } catch {
    throw invalid(kind, 'it cannot be read')
  }
  if (key.asymmetricKeyType !== 'ed25519') throw invalid(kind, `it is a key of the kind ${key.asymmetricKeyType ?? 'unknown'}`)
  return key
}

function invalid(kind: string, reason: string): Error {
  return trustErrors.error('TRUST_KEY_INVALID', { kind, reason })
}
