/** Ceilings of one package; more is refused before anything of it is copied. */
export interface PackageLimits {
  /** All files together, bytes. Default 64 MiB. */
  readonly totalBytes: number
  /** Files. Default 5 000. */
  readonly files: number
  /** Folders below the package's own. Default 16. */
  readonly depth: number
  /** The manifest, bytes. Default 1 MiB. */
  readonly manifestBytes: number
  /** Nesting of the manifest's values. Default 64. */
  readonly manifestDepth: number
}

/** What holds unless an option says otherwise. */
export const defaultPackageLimits: PackageLimits = {
  totalBytes: 64 * 1024 * 1024,
  files: 5_000,
  depth: 16,
  manifestBytes: 1024 * 1024,
  manifestDepth: 64,
}
