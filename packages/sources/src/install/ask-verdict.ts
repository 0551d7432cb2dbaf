import type { Manifest } from '@backplane/sdk'
import type { Subject, Verdict } from '@backplane/trust'
import { sourceErrors } from '../errors.ts'
import type { FetchedPackage } from '../fetch/fetcher.ts'
import { sourceOf } from '../fetch/reference.ts'

/** Whom a verdict is asked of. */
export interface Judging {
  readonly judge: (subject: Subject) => Verdict
  /** Findings of the scanners; it looks aside, so that a package made to be slow holds up nobody else. */
  readonly scan?: (fetched: FetchedPackage, signal: AbortSignal, manifest: Manifest) => Promise<Subject['findings']>
}

/** A package as the verdict is asked about it, scanned. */
export async function subjectOf(
  { scan }: Pick<Judging, 'scan'>,
  manifest: Manifest,
  { fetched, signal }: { readonly fetched: FetchedPackage; readonly signal: AbortSignal },
): Promise<Subject> {
  const { place, tree, archive, archiveSha512, attestations, publishedAtMs, source } = fetched
  const { id, version } = manifest
  const findings = await scan?.(fetched, signal, manifest)
  return {
    id,
    version,
    origin: 'external',
    source: source ?? sourceOf(place),
    digest: tree.digest,
    attestations,
    ...(archive === undefined ? {} : { archive }),
    ...(archiveSha512 === undefined ? {} : { archiveSha512 }),
    // of times a bundle says what it likes
    ...(publishedAtMs === undefined || source !== undefined ? {} : { publishedAtMs }),
    ...(findings === undefined ? {} : { findings }),
  }
}

/** The verdict on a package that is to be stored. Errors: `INSTALL_REFUSED`. */
export function askVerdict({ judge }: Pick<Judging, 'judge'>, subject: Subject): Verdict {
  const verdict = judge(subject)
  const refusal = verdict.rules.find(({ outcome }) => outcome === 'refused')
  if (verdict.ok && refusal === undefined) return verdict
  const { rule = 'verdict', reason = 'the verdict refuses it', fix = 'Look at the policy of the host.' } = refusal ?? {}
  const { id: plugin, version } = subject
  throw sourceErrors.error('INSTALL_REFUSED', { plugin, version, reason, fix }, { plugin, details: { rule, verdict } })
}
