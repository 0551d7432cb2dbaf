/**
 * Reads packages that have no `plugin.json`: an older layout of some host's, translated. It runs nothing of what it
 * reads, and answers by contents and names of files alone, never by where they lie: it is asked again of the copy that is loaded. Asked for folders that hold a `package.json`, an `index` or a `main` module, or a file that is one of its `marks`, and for single modules that lie
 * in a plugin directory or a folder of it, but not in or below a folder of the former kind; the first dialect that answers has the package.
 */
export interface Dialect {
  /** Shown in messages. */
  readonly name: string
  /** Names of files whose folders are asked about whatever else is in them; default: none. */
  readonly marks?: readonly string[]
  /** Undefined: not mine. A throw: mine, but broken; it becomes a problem of that package alone. */
  readonly read: (candidate: DialectCandidate) => Promise<DialectPackage | undefined>
}

/** What a dialect is asked about. */
export interface DialectCandidate {
  /** Absolute. */
  readonly path: string
  readonly kind: 'folder' | 'file'
}

/** A package as a dialect understood it. */
export interface DialectPackage {
  /** In the shape of `plugin.json`; checked by the kernel like every manifest. */
  readonly manifest: unknown
  /** Relative to the folder; for a single file its name. */
  readonly main: string
  /** Absolute path or file URL of the host's module that adapts the exports; see the kernel's `PackageCode`. */
  readonly adapter?: string
}
