import { hash } from 'node:crypto'
import type { Attestation } from '@backplane/trust'
import type { LockedArtifact } from '../lock/lock-file.ts'

/** The lock, the list and the packages of a bundle, as they are called in it. */
export const names = { lock: 'backplane.lock', list: 'bundle.json', packages: 'packages' } as const

/** What is too much. */
export interface BundleLimits {
  /** The bundle, bytes; it is held in memory. Default 512 MiB. */
  readonly bundleBytes: number
  /** One package as it came, bytes. Default 64 MiB. */
  readonly packageBytes: number
  /** Packages, those of all platforms. Default 5 000. */
  readonly packages: number
}

const mib = 1024 * 1024

/** What holds unless an option says otherwise. */
export const defaultBundleLimits: BundleLimits = { bundleBytes: 512 * mib, packageBytes: 64 * mib, packages: 5_000 }

/** What others say about packages, by the names of these. */
export interface BundleList {
  readonly bundleVersion: 1
  readonly attestations: Readonly<Record<string, readonly Attestation[]>>
}

/** How a package of the lock is called in a bundle: by the archive it came in, or by its tree where it came in none. */
export function packageName({ place, archive, digest }: LockedArtifact): string {
  if (archive !== undefined) return `${names.packages}/${archive.replace(':', '-')}.archive`
  return `${names.packages}/${hash('sha256', JSON.stringify([place.kind, digest]))}.tgz`
}
