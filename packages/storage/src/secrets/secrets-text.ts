import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { canonicalJson } from '../audit/canonical-json.ts'

/** One secret as it stands in the file. */
export interface SealedEntry {
  readonly nonce: string
  readonly data: string
  readonly tag: string
}

/** A file of secrets. Names are readable, values are not. */
export interface SealedSecrets {
  readonly format: 1
  /** Differs for each file, so that an entry of one cannot stand in another. */
  readonly id: string
  /** Grows by one with each change. */
  readonly generation: number
  readonly entries: Readonly<Record<string, SealedEntry>>
  /** Says which key it was written with, without saying the key. */
  readonly check: string
}

/** Keys of one file, made from its key. */
interface FileKeys {
  readonly entries: Uint8Array
  readonly file: Uint8Array
  readonly check: string
}

/** A value sealed under its name: AES-256-GCM, the name and the file's id as additional data. Source: NIST SP 800-38D. */
export function seal(value: string, name: string, id: string, key: Uint8Array): SealedEntry {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', keysOf(id, key).entries, nonce)
  cipher.setAAD(Buffer.from(canonicalJson([id, name])))
  const data = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
  const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  return { nonce: encode(nonce), data: encode(data), tag: encode(cipher.getAuthTag()) }
}

/** The value of an entry; undefined when it was sealed under another name, in another file, or with another key. */
export function unseal({ nonce, data, tag }: SealedEntry, name: string, id: string, key: Uint8Array): string | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', keysOf(id, key).entries, Buffer.from(nonce, 'base64'), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(canonicalJson([id, name])))
    decipher.setAuthTag(Buffer.from(tag, 'base64'))
    return Buffer.concat([decipher.update(Buffer.from(data, 'base64')), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

/** The text of a file, with a mark over all of it. */
export function sealedText(secrets: Omit<SealedSecrets, 'check'>, key: Uint8Array): string {
  const { check, file } = keysOf(secrets.id, key)
  const whole = { ...secrets, check }
  return `${canonicalJson({ ...whole, mac: macOf(whole, file) })}\n`
}

/** What a text holds. */
export type ReadSecrets =
  | { readonly kind: 'read'; readonly secrets: SealedSecrets; readonly key: Uint8Array }
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'wrong-key' }
  | { readonly kind: 'changed' }

/** Reads a file with the first of `keys` that it was written with. */
export function readSecrets(text: string, keys: readonly Uint8Array[]): ReadSecrets {
  const parsed = parse(text)
  if (typeof parsed === 'string') return { kind: 'damaged', reason: parsed }
  const { mac, ...secrets } = parsed
  const key = keys.find((one) => isSame(keysOf(secrets.id, one).check, secrets.check))
  if (key === undefined) return { kind: 'wrong-key' }
  return isSame(mac, macOf(secrets, keysOf(secrets.id, key).file)) ? { kind: 'read', secrets, key } : { kind: 'changed' }
}

function parse(text: string): (SealedSecrets & { readonly mac: string }) | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return text.trim() === '' ? 'it is empty' : 'it ends too early, or is no file of secrets'
  }
  if (typeof value !== 'object' || value === null) return 'it is no file of secrets'
  const { format, id, generation, entries, check, mac } = value as Readonly<Record<string, unknown>>
  if (format !== 1) return `its format is ${JSON.stringify(format)?.slice(0, 20)}; this version knows 1`
  const isWhole =
    [id, check, mac].every((one) => typeof one === 'string') &&
    Number.isSafeInteger(generation) &&
    typeof entries === 'object' &&
    entries !== null &&
    Object.values(entries).every(isEntry)
  return isWhole ? (value as SealedSecrets & { readonly mac: string }) : 'parts of it are missing'
}

function isEntry(entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return false
  const { nonce, data, tag } = entry as Readonly<Record<string, unknown>>
  return [nonce, data, tag].every((one) => typeof one === 'string')
}

function keysOf(id: string, key: Uint8Array): FileKeys {
  const derived = (info: string): Uint8Array => new Uint8Array(hkdfSync('sha256', key, id, `backplane secrets 1 ${info}`, 32))
  return {
    entries: derived('entries'),
    file: derived('file'),
    check: Buffer.from(derived('check')).toString('base64url').slice(0, 22),
  }
}

function macOf(secrets: SealedSecrets, key: Uint8Array): string {
  return createHmac('sha256', key).update(canonicalJson(secrets)).digest('base64url')
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
