/** What may run, as an operator wrote it. Everything has a safe default: an empty policy refuses what nobody signed. */
export interface TrustPolicy {
  /** Keys by their id. */
  readonly keys?: Readonly<Record<string, TrustedKey>>
  /** Who may publish which ids; the entry with the longest pattern that fits decides. */
  readonly publishers?: readonly Publisher[]
  /** Ids or `publisher/*`. When given, only these run. Wins over `deny`. */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** Digests that must never run again, with the reason. */
  readonly revokedDigests?: Readonly<Record<string, string>>
  /**
   * Packages that nobody signed: refused (default), taken, or taken from these sources only (`directory:/srv/plugins/dev`). A
   * package taken so says it in its verdict.
   */
  readonly allowUnsigned?: boolean | readonly string[]
  /** A package must have been out for so long, ms. Default 0. A source that cannot say when counts as just now. */
  readonly minimumReleaseAgeMs?: number
  /** Exceptions to the age, each with the reason: `acme/s3@1.2.3`. */
  readonly releaseAgeExceptions?: Readonly<Record<string, string>>
  readonly advisories?: readonly Advisory[]
  /** Findings from this severity on refuse. Default `danger`. */
  readonly refuseFindings?: 'warning' | 'danger' | 'never'
  /** Rules of scanners that may fail for an id, with the reason: `{'acme/s3': {'static/child-process': 'runs rclone'}}`. */
  readonly acceptedFindings?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** A public key and when its signatures count. */
export interface TrustedKey {
  /** PEM, SubjectPublicKeyInfo, Ed25519. */
  readonly publicKey: string
  /** Signatures made before do not count, ms since the epoch. */
  readonly notBeforeMs?: number
  /** Signatures made after do not count; those made before stay good. */
  readonly notAfterMs?: number
  /** Set when it was lost or stolen: no signature of it counts, whenever it says it was made. */
  readonly revoked?: string
}

/** Who may publish. */
export interface Publisher {
  readonly name: string
  /** `acme/*` or `acme/s3`. */
  readonly ids: string
  /** How many of `signers` must have signed. Default 1. */
  readonly threshold?: number
  readonly signers: readonly Signer[]
}

/** A key of the policy, or an identity that a certificate of sigstore's names. */
export type Signer =
  | { readonly key: string }
  | { readonly issuer: string; /** Exact, or a prefix that ends in `*`. */ readonly identity: string }

/** A known problem of published versions. */
export interface Advisory {
  readonly id: string
  readonly plugin: string
  /** SemVer range. */
  readonly versions: string
  readonly summary: string
  /** `disable` refuses to load, also what is installed; `warn` only tells. */
  readonly action: 'warn' | 'disable'
  readonly url?: string
}
