import type { Progress } from '@backplane/sdk'
import type { Attestation } from '@backplane/trust'
import type { PackageTree } from '../read-tree.ts'

/** Where a package can be fetched from. `archive` is a file or a URL of one, `index` a static index. */
export type FetchKind = 'npm' | 'git' | 'oci' | 'index' | 'archive' | 'directory'

/**
 * One kind of place packages are fetched from. It runs nothing of what it fetches, follows no redirect to a place its
 * options do not name, and believes nothing of what it is told but digests.
 */
export interface Fetcher {
  readonly kind: FetchKind
  /**
   * The versions that fit a reference such as `npm:@acme/s3@^1.2`, best first: newest last published wins only by its SemVer.
   * Reads only what is needed to choose. Errors: `FETCH_REFERENCE_INVALID`, `FETCH_NOT_FOUND`, `FETCH_UNREACHABLE`,
   * `FETCH_DENIED`.
   */
  readonly versions: (reference: string, options: FetchOptions) => Promise<readonly AvailableVersion[]>
  /**
   * The package at a place, which must be what `place` says: a digest or commit that differs is `FETCH_CHANGED` and nothing is
   * kept. Errors also: `FETCH_TOO_LARGE`, those of archives.
   */
  readonly fetch: (place: PinnedPlace, options: FetchOptions) => Promise<FetchedPackage>
}

/** What goes with one fetch. */
export interface FetchOptions {
  readonly signal: AbortSignal
  /** `done` and `total` in bytes. */
  readonly onProgress?: (progress: Progress) => void
  /** Also answers the archive's bytes. */
  readonly keepArchive?: boolean
  /** Of a place that has another package for each platform: whose, as a lock names it. Default: this machine's, and what is there for all others is told. */
  readonly platform?: string
}

/** One version that can be had. */
export interface AvailableVersion {
  /** SemVer. */
  readonly version: string
  readonly place: PinnedPlace
  /** ms since the epoch, as the source says. */
  readonly publishedAtMs?: number
  /** Why nobody should take it any more. */
  readonly deprecated?: string
  /** The manifest, when the source gives it without the package; not vouched for, only for resolving. */
  readonly manifest?: unknown
}

/** Exactly one package and nothing that can move: what a lock keeps. JSON. */
export type PinnedPlace =
  /** `integrity` as npm writes it: `sha512-…`. */
  | {
      readonly kind: 'npm'
      readonly registry: string
      readonly name: string
      readonly version: string
      readonly integrity: string
    }
  /** `commit`: 40 or 64 hexadecimal digits. `ref` is what was asked for: the tag must still lead to `commit`. */
  | { readonly kind: 'git'; readonly url: string; readonly commit: string; readonly ref?: string; readonly path?: string }
  /** `digest` of the manifest. `reference` without a tag: `registry.example.org/acme/s3`. */
  | { readonly kind: 'oci'; readonly reference: string; readonly digest: string }
  /** `index`: its name in the options. `url` of the archive from the index's folder, so that a mirror has it as well; `digest` of its bytes. */
  | { readonly kind: 'index'; readonly index: string; readonly url: string; readonly digest: string }
  /** `url` of the archive, `digest` of its bytes. */
  | { readonly kind: 'archive'; readonly url: string; readonly digest: string }
  /** `digest` of the tree. */
  | { readonly kind: 'directory'; readonly path: string; readonly digest: string }

/** A package in memory, listed and validated whole; nothing of it is on the disk yet. */
export interface FetchedPackage {
  readonly place: PinnedPlace
  readonly tree: PackageTree
  /** `plugin.json` of the tree, parsed strictly; its shape is the kernel's business. */
  readonly manifest: unknown
  /** SHA-256 of the archive as it came: `sha256:…`; absent for a folder and for git. */
  readonly archive?: string
  /** The same archive's `sha512:…`, where a source's provenance is about it (npm). */
  readonly archiveSha512?: string
  /** The archive itself, where it was asked for. */
  readonly archiveBytes?: Uint8Array
  /** What policies call where it is from, when that is not its place: a bundle that somebody carried here. */
  readonly source?: string
  /** As found in the package (`.backplane/*.json`) or with it (npm attestations, OCI referrers); not believed. */
  readonly attestations: readonly Attestation[]
  readonly publishedAtMs?: number
  /**
   * Where the source has another package for each platform: all of them, this one too, by platform (`linux-x64`), or `any` for
   * the rest. Absent where one is for all.
   */
  readonly platforms?: Readonly<Record<string, PlatformPackage>>
}

/** What a lock keeps of the package for one platform; it has been fetched and validated like the others. */
export interface PlatformPackage {
  readonly place: PinnedPlace
  /** Of the tree. */
  readonly digest: string
  readonly archive?: string
  readonly archiveSha512?: string
  readonly publishedAtMs?: number
}
