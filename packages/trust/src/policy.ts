/**
 * What may run, as an operator wrote it. Everything has a safe default: an empty policy refuses what nobody signed. To change a
 * policy, make a new one: its keys and roots are read once.
 */
export interface TrustPolicy {
  /** Keys by a name that publishers refer to. One key under two names counts once, and is revoked when either is. */
  readonly keys?: Readonly<Record<string, TrustedKey>>
  /** Who may publish which ids; the entry with the longest pattern that fits decides. */
  readonly publishers?: readonly Publisher[]
  /** What sigstore bundles are checked with; without it none counts. */
  readonly sigstore?: SigstorePolicy
  /** Ids, names after the slash, `publisher/*` or `*`. When given, only these run, also of the host's own. Wins over `deny`. */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** Digests that must never run again, with the reason. */
  readonly revokedDigests?: Readonly<Record<string, string>>
  /**
   * Packages that nobody signed whom the policy knows: refused (default), taken, or taken from these sources only
   * (`directory:/srv/plugins/dev`, or a beginning that ends in `/*`). A package taken so says it in its verdict. `true` does not
   * reach ids that have a publisher here, whose signature somebody may have taken away: name the source for those. A
   * signature of a known signer that does not hold is never taken.
   */
  readonly allowUnsigned?: boolean | readonly string[]
  /** A package must have been out for so long, ms. Default 0. A source that cannot say when counts as just now. */
  readonly minimumReleaseAgeMs?: number
  /**
   * Exceptions to the age, each with the reason: `acme/s3@1.2.3`; all of a source, `git:https://git.example.org/acme/s3.git` or a
   * beginning that ends in `/*`; what a publisher's signers vouch for, `publisher:Acme`.
   */
  readonly releaseAgeExceptions?: Readonly<Record<string, string>>
  readonly advisories?: readonly Advisory[]
  /** Known problems of modules that packages bring along in `node_modules`; asked where scanners have looked. */
  readonly moduleAdvisories?: readonly ModuleAdvisory[]
  /** Findings from this severity on refuse. Default `danger`. */
  readonly refuseFindings?: 'warning' | 'danger' | 'never'
  /** Rules of scanners that may fail for an id, with the reason: `{'acme/s3': {'static/child-process': 'runs rclone'}}`. */
  readonly acceptedFindings?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** A public key and when its signatures count. */
export interface TrustedKey {
  /** PEM, SubjectPublicKeyInfo, Ed25519. */
  readonly publicKey: string
  /**
   * Signatures made before do not count, ms since the epoch. When one was made is what its signer says; one that does not say
   * counts as made now.
   */
  readonly notBeforeMs?: number
  /** Signatures made after do not count; those made before stay good. */
  readonly notAfterMs?: number
  /** Set when it was lost or stolen: no signature of it counts, whenever it says it was made. */
  readonly revoked?: string
}

/** Who may publish. */
export interface Publisher {
  readonly name: string
  /** `acme/*`, `acme/s3`, or `*` for whoever else. */
  readonly ids: string
  /** How many of `signers` must have signed, each with a key or identity of its own. Default 1. */
  readonly threshold?: number
  readonly signers: readonly Signer[]
}

/** A key of the policy, or an identity that a certificate of sigstore's names. */
export type Signer =
  | { readonly key: string }
  | {
      readonly issuer: string
      /** Exact, or a beginning that ends in `/*` or `@*`: `https://github.com/acme/s3/.github/workflows/release.yml@*`. */
      readonly identity: string
    }

/** An instance of sigstore, public or private. Nothing is fetched. */
export interface SigstorePolicy {
  /** Contents of its `trusted_root.json`, parsed. */
  readonly trustedRoot: unknown
  /** Transparency logs that must hold the signature, by promise or inclusion proof. Default 1; 0 where an instance has none. */
  readonly transparencyLogs?: number
  /** Certificate logs that must hold the certificate. Default 1; 0 where an instance has none. */
  readonly certificateLogs?: number
  /** Who must say when it was signed, by a log's promise or a timestamp. Default and least 1: certificates last minutes. */
  readonly timestamps?: number
}

/** A known problem of a module of others. */
export interface ModuleAdvisory extends Omit<Advisory, 'plugin'> {
  /** Its name, as npm knows it. */
  readonly module: string
}

/** A known problem of published versions. */
export interface Advisory {
  readonly id: string
  /** As in `allow`. */
  readonly plugin: string
  /** SemVer range; pre-releases are in it as well. */
  readonly versions: string
  readonly summary: string
  /** `disable` refuses to load, also what is installed; `warn` only tells. */
  readonly action: 'warn' | 'disable'
  readonly url?: string
}
