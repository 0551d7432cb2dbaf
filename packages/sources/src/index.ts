export type { ArchiveFile } from './archive/archive-file.ts'
export { defaultArchiveLimits, type ArchiveLimits } from './archive/archive-limits.ts'
export type { ArchivePart } from './archive/archive-part.ts'
export { archiveTree, type ArchiveTree, type TopFolder } from './archive/archive-tree.ts'
export { archiveErrors, type ArchiveErrorCode } from './archive/errors.ts'
export { tarEntry } from './archive/pack-archive.ts'
export { readArchive, type Archive } from './archive/read-archive.ts'
export { stageArchive, type StagedArchive } from './archive/stage-archive.ts'
export { unpackArchive, type UnpackedArchive } from './archive/unpack-archive.ts'
export type { UnpackOptions } from './archive/unpack-parts.ts'
export { bundled, type BundledItem, type BundledOptions } from './bundled.ts'
export type { Dialect, DialectCandidate, DialectPackage } from './dialect.ts'
export { directory, type DirectoryOptions } from './directory.ts'
export { sourceErrors, type SourceErrorCode } from './errors.ts'
export { createAdmission, type AdmissionOptions } from './admission/create-admission.ts'
export {
  filesBelow,
  PackageScans,
  type PackageScanner,
  type PackageScansParts,
  type PackageToScan,
} from './admission/package-scans.ts'
export { GrantsFile, type Approval, type PermissionAnswers } from './admission/grants-file.ts'
export { installed, type InstalledOptions, type InstalledSource } from './lock/installed.ts'
export { defaultPackageLimits, type PackageLimits } from './limits.ts'
export { removeLeftovers } from './private-folder.ts'
export { isLeftover } from './staging-name.ts'
export { examineStore, takeOut, type StoreFlaw } from './store-examination.ts'
