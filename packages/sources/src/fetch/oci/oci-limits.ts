/** Ceilings of what a registry says; those of archives are the archives'. */
export interface OciLimits {
  /** One manifest or list, bytes. Default 4 MiB. Source: OCI distribution 1.1, "Pushing manifests". */
  readonly manifestBytes: number
  /** What others say about one package, in number; more are not read. Default 64. */
  readonly attestations: number
  /** One of these, bytes. Default 1 MiB. */
  readonly attestationBytes: number
  /** Tags of one repository; one that has more must be asked for a tag. Default 10 000. */
  readonly tags: number
  /** Platforms of one list, whose packages are all fetched to be locked. Default 16. */
  readonly platforms: number
  /** Versions offered for a range, best first. Default 64. */
  readonly versions: number
}

const mib = 1024 * 1024

/** What holds unless an option says otherwise. */
export const defaultOciLimits: OciLimits = {
  manifestBytes: 4 * mib,
  attestations: 64,
  attestationBytes: mib,
  tags: 10_000,
  platforms: 16,
  versions: 64,
}
