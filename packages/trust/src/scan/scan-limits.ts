/** How much of a package is looked at. What is beyond is a finding of its own, so that size hides nothing. */
export interface ScanLimits {
  /** One file of source; parsing takes about 100 times its size in memory. Default 2 MiB. */
  readonly sourceBytes: number
  /** All files. Default 64 MiB. */
  readonly totalBytes: number
  /** Default 10,000. */
  readonly files: number
  /** Of one package; per rule and file, the first eight are told. Default 1,000. */
  readonly findings: number
  /** Modules of others in one package. Default 5,000. */
  readonly modules: number
  /** Looked at between files, ms; one file of 2 MiB takes a second or two. Default 30 s. */
  readonly timeMs: number
}

/** The defaults that {@link ScanLimits} names. */
export const defaultScanLimits: ScanLimits = {
  sourceBytes: 2 * 1024 * 1024,
  totalBytes: 64 * 1024 * 1024,
  files: 10_000,
  findings: 1000,
  modules: 5_000,
  timeMs: 30_000,
}
