import type { PackageAttestation } from '@backplane/kernel'
import type { LockedArtifact } from './lock-file.ts'

/** How a package came, as far as the digest of its tree does not say. */
interface Arrival {
  readonly archive?: string
  readonly archiveSha512?: string
  readonly attestations?: readonly PackageAttestation[]
}

/** What the store keeps with an installed package. */
export function factsOf({ archive, archiveSha512, attestations = [] }: Arrival): Arrival {
  return {
    ...(archive === undefined ? {} : { archive }),
    ...(archiveSha512 === undefined ? {} : { archiveSha512 }),
    ...(attestations.length === 0 ? {} : { attestations }),
  }
}

/**
 * Whether a package came in the archive that the lock names. A signature over an archive vouches for a tree only where the one
 * was unpacked to the other, and a lock is a text that anybody may have proposed.
 */
export function cameIn({ archive, archiveSha512 }: LockedArtifact, arrival: unknown): boolean {
  const isThis = (name: keyof Arrival, locked: string | undefined): boolean =>
    locked === undefined || Reflect.get(Object(arrival), name) === locked
  return isThis('archive', archive) && isThis('archiveSha512', archiveSha512)
}
