import { signEnvelope, type EnvelopeJson } from './envelope.ts'
import { trustErrors } from './errors.ts'
import { packagePredicateType, statementPayloadType, statementType, treeAlgorithm } from './statement.ts'

/** What a publisher signs. */
export interface PackageToSign {
  /** `publisher/name`. */
  readonly id: string
  readonly version: string
  /** Of the tree: `sha256:` and 64 hexadecimal digits. */
  readonly digest: string
  /** Of the archive it is published as, in the same form. */
  readonly archive?: string
  /** When it is signed, ms since the epoch; what the windows of keys are compared with. */
  readonly signedAtMs: number
}

/**
 * Signs a package: the envelope belongs in a file `.backplane/<any name>.json` of the package or beside it. Where several must
 * sign, each writes a file. Errors: `TRUST_STATEMENT_INVALID`, `TRUST_KEY_INVALID`.
 *
 * `signedAtMs` is what the holder of the key says. A verdict believes it only in so far as a holder could not gain by lying:
 * whoever stole a key can write any time into it, which is why a revoked key never counts, whenever it says it signed; and why
 * `notAfterMs`, which is compared with this time, only ends the honest use of a key and does not undo a theft.
 */
export function signPackage(subject: PackageToSign, privateKey: string): EnvelopeJson {
  const { id, version, digest, archive, signedAtMs } = subject
  const name = `${id}@${version}`
  if (!/^[^/@\s]+\/[^/@\s]+$/.test(id)) throw invalid(`${id} is no id of the form publisher/name`)
  if (version === '' || /[\s@]/.test(version)) throw invalid(`${name} has no version`)
  const subjects: { name: string; digest: Record<string, string> }[] = [{ name, digest: { [treeAlgorithm]: hexOf(digest) } }]
  if (archive !== undefined) subjects.push({ name: `${name}#archive`, digest: { sha256: hexOf(archive) } })
  if (!(Math.abs(signedAtMs) < 253_402_300_800_000)) throw invalid('its time is none')
  const statement = {
    _type: statementType,
    subject: subjects,
    predicateType: packagePredicateType,
    predicate: { id, version, signedAt: new Date(signedAtMs).toISOString() },
  }
  return signEnvelope(statementPayloadType, statement, [privateKey])
}

function hexOf(digest: string): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw invalid(`${digest} is no sha256: digest`)
  return digest.slice('sha256:'.length)
}

function invalid(reason: string): Error {
  return trustErrors.error('TRUST_STATEMENT_INVALID', { reason })
}
