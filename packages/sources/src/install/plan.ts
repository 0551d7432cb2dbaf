import type { Manifest } from '@backplane/sdk'
import type { Subject, Verdict } from '@backplane/trust'
import type { FetchedPackage } from '../fetch/fetcher.ts'
import type { LockFile } from '../lock/lock-file.ts'

/** What is to change. */
export type Change =
  /** Also for what is there: then its reference is another from now on. */
  | { readonly kind: 'add'; readonly reference: string }
  /** To the best version that its reference allows, never to an older one; without `id`, everything. */
  | { readonly kind: 'update'; readonly id?: string }
  /** With `withUsers` also everything that needs it; without, what is needed is refused. */
  | { readonly kind: 'remove'; readonly id: string; readonly withUsers?: boolean }

/** What would be done, before any of it is: to be looked at, approved, and applied. Holds packages in memory. */
export interface Plan {
  /** Of the lock it was made against; applied to another one it is `LOCK_CHANGED`. */
  readonly etag: string
  /** In the order in which they are done: what others need first. Nothing to do when empty. */
  readonly steps: readonly PlanStep[]
  /** The lock as it would be, were everything approved that its plugins ask for. */
  readonly lock: LockFile
}

/** One plugin's change. */
export type PlanStep = PutStep | RemoveStep

/** A version that comes. */
export interface PutStep {
  readonly kind: 'install' | 'update'
  readonly id: string
  readonly version: string
  /** What is there now. */
  readonly from: PlannedFrom | undefined
  /** Ids that brought it in; empty when it was asked for itself. */
  readonly neededBy: readonly string[]
  readonly manifest: Manifest
  /** What the verdict was asked about, and is asked about again when the plan is applied. */
  readonly subject: Subject
  readonly verdict: Verdict
  readonly permissions: PermissionChange
  readonly sizeBytes: number
  readonly fetched: FetchedPackage
}

/** The version before, as far as it is known. */
export interface PlannedFrom {
  readonly version: string
  /** Undefined when the store has lost it. */
  readonly manifest: Manifest | undefined
}

/** How what a plugin may do changes. Permissions as manifests write them, sorted. */
export interface PermissionChange {
  /** All it asks for. */
  readonly asked: readonly string[]
  /** Of these, what is kept from it, whoever it is from. */
  readonly withheld: readonly string[]
  /** Of these, what nobody answered to yet; all of the others when it is somebody else's package than before. */
  readonly unapproved: readonly string[]
  /** Approved before and not asked for any more. */
  readonly dropped: readonly string[]
}

/** A plugin that goes. */
export interface RemoveStep {
  readonly kind: 'remove'
  readonly id: string
  readonly version: string
  /** Whether nobody asked for it and nobody needs it any more. */
  readonly isOrphan: boolean
}
