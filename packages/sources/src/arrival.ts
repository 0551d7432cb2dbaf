import type { PackageArrival } from '@backplane/kernel'
import type { FetchedPackage } from './fetch/fetcher.ts'
import { sourceOf } from './fetch/reference.ts'
import type { LockedArtifact } from './lock/lock-file.ts'

/** What the store keeps with a package that was fetched: what the digest of its tree does not say. */
export interface ArrivalFacts {
  readonly arrival: PackageArrival
  readonly attestations?: FetchedPackage['attestations']
}

/** The facts of a fetched package. */
export function factsOf({
  place,
  source = sourceOf(place),
  archive,
  archiveSha512,
  publishedAtMs,
  attestations,
}: FetchedPackage): ArrivalFacts {
  const arrival = {
    source,
    ...(archive === undefined ? {} : { archive }),
    ...(archiveSha512 === undefined ? {} : { archiveSha512 }),
    ...(publishedAtMs === undefined ? {} : { publishedAtMs }),
  }
  return attestations.length === 0 ? { arrival } : { arrival, attestations }
}

/** How a package came, as the store kept it; undefined for what was not fetched. */
export function arrivalIn(facts: unknown): PackageArrival | undefined {
  const arrival: unknown = Reflect.get(Object(facts), 'arrival')
  return typeof Reflect.get(Object(arrival), 'source') === 'string' ? (arrival as PackageArrival) : undefined
}

/**
 * Whether a package came in the archive that the lock names. A signature over an archive vouches for a tree only where the one
 * was unpacked to the other, and a lock is a text that anybody may have proposed.
 */
export function cameIn(
  { archive, archiveSha512 }: Pick<LockedArtifact, 'archive' | 'archiveSha512'>,
  arrival: Pick<PackageArrival, 'archive' | 'archiveSha512'> | undefined,
): boolean {
  const isFirst = archive === undefined || arrival?.archive === archive
  return isFirst && (archiveSha512 === undefined || arrival?.archiveSha512 === archiveSha512)
}
