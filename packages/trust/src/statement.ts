import { parseStrictJson } from '@backplane/sdk/strict-json'
import { isRecord } from './envelope.ts'
import { printable } from './printable.ts'
import type { Subject } from './subject.ts'

/** What a DSSE envelope around a statement must call itself. Source: in-toto Attestation Framework v1, envelope. */
export const statementPayloadType = 'application/vnd.in-toto+json'
/** Source: in-toto Attestation Framework v1, statement. */
export const statementType = 'https://in-toto.io/Statement/v1'
/** The digest of a package's tree within a statement: not `sha256`, because no file has these bytes. */
export const treeAlgorithm = 'backplaneTree1'

/**
 * The type of what a publisher says about a package: «I made `id` at `version`, at `signedAt`, and these are its bytes». It is
 * compared as text and never looked up; a `urn:`, because the project owns no host whose name it could carry. The predicate is
 * `{"id": "acme/s3", "version": "1.2.3", "signedAt": "2026-11-21T12:00:00.000Z"}`; members beyond are ignored.
 */
export const packagePredicateType = 'urn:backplane:package:v1'

/** Statements of other tools that say who built the bytes. Source: SLSA 0.2 and 1.0, provenance. */
const provenanceTypes: ReadonlySet<unknown> = new Set(['https://slsa.dev/provenance/v1', 'https://slsa.dev/provenance/v0.2'])

/** Whether a statement says that its signer made this package. */
export type StatementReading =
  | { readonly kind: 'vouches'; /** What the signer says; ms since the epoch. */ readonly claimedAtMs: number | undefined }
  /** It is about something else than who made the package. */
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'broken'; readonly reason: string }

/**
 * Reads what was signed. Provenance counts only where `provenance` is set, which is for signers that are a build and not a
 * person with a key. The subject must be these bytes; a statement of ours must also name this id and version, so that one
 * made for another version is worth nothing.
 */
export function readStatement(payload: Uint8Array, subject: Subject, provenance: boolean): StatementReading {
  const parsed = parseStrictJson(Buffer.from(payload).toString('utf8'), 32)
  if (parsed.kind !== 'value') return broken('what was signed is not JSON that has one meaning')
  const statement = parsed.value
  if (!isRecord(statement) || !isStatementType(statement['_type'])) return broken('what was signed is no in-toto statement')
  const { predicateType, predicate } = statement
  const isProvenance = provenanceTypes.has(predicateType)
  if (predicateType !== packagePredicateType && !(isProvenance && provenance)) {
    return { kind: 'ignored', reason: `it says something else than who made the package (${text(predicateType)})` }
  }
  const about = compareSubjects(statement['subject'], subject)
  if (about === 'others') return broken('it is about other bytes than these')
  if (about === 'unknown') return { kind: 'ignored', reason: 'it is about an archive, and this did not come in one' }
  if (isProvenance) return { kind: 'vouches', claimedAtMs: undefined }
  if (!isRecord(predicate)) return broken('its predicate is no object')
  if (predicate['id'] !== subject.id || predicate['version'] !== subject.version) {
    return broken(`it is about ${text(predicate['id'])}@${text(predicate['version'])}`)
  }
  const { signedAt } = predicate
  if (signedAt === undefined) return { kind: 'vouches', claimedAtMs: undefined }
  const claimedAtMs = instantOf(signedAt)
  return claimedAtMs === undefined ? broken('its signedAt is no time in UTC') : { kind: 'vouches', claimedAtMs }
}

/** A time as `Date.toISOString` writes it, with or without the fraction; undefined for any other text. */
export function instantOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/.test(value)) return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : ms
}

/** Version 0.1 has the same members; provenance of npm still has it. */
function isStatementType(type: unknown): boolean {
  return type === statementType || type === 'https://in-toto.io/Statement/v0.1'
}

/**
 * Whether one of the subjects is these bytes, and nothing that it says about them is wrong. `unknown`: they are named by digests
 * of a kind that this package has none of, as of the archive of what is now a folder.
 */
function compareSubjects(subjects: unknown, { digest, archive, archiveSha512 }: Subject): 'these' | 'others' | 'unknown' {
  const known = new Map([
    [treeAlgorithm, hexOf(digest)],
    ['sha256', hexOf(archive)],
    ['sha512', hexOf(archiveSha512)],
  ])
  if (!Array.isArray(subjects) || subjects.length > 64) return 'others'
  let answer: 'others' | 'unknown' = 'unknown'
  for (const each of subjects as readonly unknown[]) {
    const claimed = isRecord(each) && isRecord(each['digest']) ? Object.entries(each['digest']) : []
    const comparable = claimed.filter(([algorithm]) => known.get(algorithm) !== undefined)
    if (comparable.length === 0) continue
    if (comparable.every(([algorithm, hex]) => hex === known.get(algorithm))) return 'these'
    answer = 'others'
  }
  return answer
}

function hexOf(digest: string | undefined): string | undefined {
  return digest === undefined
    ? undefined
    : /^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(digest)
      ? digest.slice(7)
      : undefined
}

function text(value: unknown): string {
  return typeof value === 'string' ? printable(value) : 'nothing'
}

function broken(reason: string): StatementReading {
  return { kind: 'broken', reason }
}
