/** A package as it stands before the decision; nothing of it has run. Whoever asks has computed `digest` from the bytes. */
export interface Subject {
  /** `publisher/name`. */
  readonly id: string
  /** SemVer. */
  readonly version: string
  readonly origin: 'bundled' | 'external'
  /** Where it is from, as the operator would name it: `directory:/srv/plugins`, `npm:@acme/s3`, `git:https://…`. */
  readonly source: string
  /** Of exactly the bytes that would be loaded: `sha256:` and 64 hexadecimal digits. */
  readonly digest: string
  /**
   * Of the archive it came in, in the same form; absent for a folder. Only what whoever asks unpacked itself, or kept where
   * nobody else writes: a signature over the archive then vouches for `digest`.
   */
  readonly archive?: string
  /** What the lock says these must be; absent when the lock does not know the package. */
  readonly locked?: LockedDigests
  /** The same archive's other digest, `sha512:` and 128 hexadecimal digits: what the provenance of npm is about. */
  readonly archiveSha512?: string
  /** What others say about it, as found with the package. Not yet believed. */
  readonly attestations: readonly Attestation[]
  /** When its source says it was published, ms since the epoch; undefined where a source cannot say. */
  readonly publishedAtMs?: number
  /** What the scanners found; absent where none has looked. */
  readonly findings?: readonly Finding[]
}

/** One thing said about a package. */
export interface Attestation {
  /** Path in the package (`.backplane/acme.dsse.json`), or the address it came from; a verdict names it. */
  readonly file: string
  /** A DSSE envelope or a sigstore bundle, parsed JSON. */
  readonly content: unknown
}

/** What was approved when a package was installed. */
export interface LockedDigests {
  readonly digest: string
  readonly archive?: string
}

/** Something a scanner found in a package. */
export interface Finding {
  /** Of the scanner, and which of its rules: `static/child-process`. */
  readonly rule: string
  readonly severity: 'info' | 'warning' | 'danger'
  /** Path in the package, with a slash. */
  readonly file: string
  /** From 1. */
  readonly line?: number
  readonly message: string
  /** A module of others that lies in the package, where that is what was found. */
  readonly module?: BundledModule
  /** What to do about it, where the scanner says. */
  readonly fix?: string
}

/** A module of others that a package brings along. */
export interface BundledModule {
  /** As in its `package.json`: `lodash`, `@scope/name`. */
  readonly name: string
  readonly version: string
}
