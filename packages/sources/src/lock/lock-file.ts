import type { PinnedPlace } from '../fetch/fetcher.ts'

/** `backplane.lock`: what was approved and is to run, on every platform. JSON with sorted keys; written by one rename. */
export interface LockFile {
  readonly lockVersion: 1
  /** By plugin id. */
  readonly plugins: Readonly<Record<string, LockedPlugin>>
}

/** One approved plugin. */
export interface LockedPlugin {
  readonly version: string
  /** What was asked for, such as `npm:@acme/s3@^1.2`; for a dependency nobody asked for, `dependency`. */
  readonly requested: string
  /** By platform (`linux-x64`), or `any`. */
  readonly artifacts: Readonly<Record<string, LockedArtifact>>
  /** Who vouched for it when it was approved; absent when nobody did. */
  readonly publisher?: string
  /** Permissions that were approved, as the manifest writes them; sorted. */
  readonly permissions: readonly string[]
  /** Ids it depends on → the range it asks for. */
  readonly dependencies: Readonly<Record<string, string>>
}

/** Bytes of one platform. */
export interface LockedArtifact {
  readonly place: PinnedPlace
  /** Of the tree. */
  readonly digest: string
  readonly archive?: string
}
