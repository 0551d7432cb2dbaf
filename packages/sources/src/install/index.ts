export { Installer, type Approvals, type InstalledProblem, type InstallerOptions } from './installer.ts'
export type { Change, PermissionChange, Plan, PlannedFrom, PlanStep, PutStep, RemoveStep } from './plan.ts'
export type { AvailableVersion, FetchedPackage, Fetcher, FetchKind, FetchOptions, PinnedPlace } from '../fetch/fetcher.ts'
export { archiveFetcher, type ArchiveFetcherOptions } from '../fetch/archive/archive-fetcher.ts'
export { directoryFetcher } from '../fetch/directory-fetcher.ts'
export type { Credential, HomeOptions } from '../fetch/fetch-home.ts'
export { defaultDownloadLimits, type DownloadLimits } from '../fetch/download-limits.ts'
export type { Downloading } from '../fetch/guarded-download.ts'
export {
  indexFetcher,
  type IndexFetcher,
  type IndexFetcherOptions,
  type IndexHit,
  type IndexReport,
} from '../fetch/index/index-fetcher.ts'
export type { IndexedPlugin, IndexedVersion } from '../fetch/index/index-format.ts'
export { newestIndexMs } from '../fetch/index/index-memory.ts'
export type { IndexOptions } from '../fetch/index/static-index.ts'
export { writeIndex, type IndexWriting, type WrittenIndex } from '../fetch/index/write-index.ts'
export { npmFetcher, type NpmFetcherOptions, type SearchingNpmFetcher } from '../fetch/npm/npm-fetcher.ts'
export { pluginKeyword, type NpmHit, type NpmSearchReport } from '../fetch/npm/npm-search.ts'
export { gitFetcher, type GitFetcherOptions } from '../fetch/git/git-fetcher.ts'
export type { GitHost } from '../fetch/git/git-access.ts'
export { defaultGitLimits, type GitLimits } from '../fetch/git/git-limits.ts'
export { ociFetcher, type OciFetcherOptions } from '../fetch/oci/oci-fetcher.ts'
export { defaultOciLimits, type OciLimits } from '../fetch/oci/oci-limits.ts'
export type { OciRegistry } from '../fetch/oci/oci-repository.ts'
export { pushPackage, type PackageToPush, type PushedPackage } from '../fetch/oci/push-package.ts'
export { readLock, type LockedArtifact, type LockedPlugin, type LockFile, type LockReading } from '../lock/lock-file.ts'
export { lockText } from '../lock/lock-file.ts'
export { localPath } from '../fetch/local-path.ts'
export { openBundle, type Bundle, type BundleReading } from '../bundle/open-bundle.ts'
export { defaultBundleLimits, type BundleLimits } from '../bundle/bundle-format.ts'
export { kindOf, sourceOf } from '../fetch/reference.ts'
