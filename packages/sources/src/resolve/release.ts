/** One version of one plugin, as far as choosing versions goes. */
export interface Release {
  readonly id: string
  /** SemVer. */
  readonly version: string
  /** SemVer range of the host's API it needs. */
  readonly api: string
  readonly dependencies: readonly ReleaseDependency[]
  /** Capabilities it offers to others → the SemVer version of each. */
  readonly provides: Readonly<Record<string, string>>
  /** Capabilities it needs from whoever offers them → the SemVer range of each. */
  readonly requires: Readonly<Record<string, string>>
}

/** Another plugin it needs. */
export interface ReleaseDependency {
  readonly id: string
  readonly range: string
  /** Used when it is there and fits; never a reason to fail, never brought in for its own sake. */
  readonly optional: boolean
}

/** Something that somebody wants to be there. */
export interface Wish {
  readonly id: string
  readonly range: string
  /** Who wants it, for people: `you`, `the lock`. */
  readonly by: string
}

/** Where releases come from. Each question may cost a fetch, so none is asked twice or for nothing. */
export interface Universe {
  /** Versions there are of a plugin, best first; empty when nobody has it. */
  readonly versions: (id: string) => Promise<readonly string[]>
  /** What one version says of itself. What it throws rules the version out, with its message in the explanation. */
  readonly release: (id: string, version: string) => Promise<Release>
  /** Ids of plugins that may offer a capability; empty when nobody is known to. */
  readonly providers: (capability: string) => Promise<readonly string[]>
}

/** What is to be resolved. */
export interface ResolveRequest {
  readonly wishes: readonly Wish[]
  readonly universe: Universe
  /** SemVer of the API the host offers. */
  readonly hostApi: string
  /** Versions that stay where they fit, by id: what is locked now. */
  readonly prefer: ReadonlyMap<string, string>
}

/** What came of it: one version for each plugin, or why there is none. */
export type Resolution =
  /** In load order: what others need comes first, equals by id. */
  { readonly ok: true; readonly releases: readonly Release[] } | { readonly ok: false; readonly conflict: Conflict }

/** Why nothing fits, as short as it can be said. */
export interface Conflict {
  /** From a wish to what cannot be had: `you want acme/a ^1`, `acme/a 1.4.0 needs acme/b ^2`, `acme/b has 1.0.0 and 1.1.0`. */
  readonly chain: readonly string[]
  /** The smallest change that would fix it, as an imperative sentence; undefined when none was found. */
  readonly fix: string | undefined
}
