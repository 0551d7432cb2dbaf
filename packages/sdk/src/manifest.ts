/**
 * What a package says of itself, readable without running anything. Canonical form: `plugin.json`.
 * Four numbers are kept apart: `schemaVersion` (of this format), `version` (of the plugin), `requires.api` (the host's
 * API) and `stateVersion` (of what the plugin stores).
 */
export interface Manifest {
  readonly $schema?: string
  readonly schemaVersion: 1
  /** `publisher/name`, lower case. */
  readonly id: string
  /** SemVer 2. */
  readonly version: string
  readonly description?: string
  readonly author?: string
  /** SPDX expression. */
  readonly license?: string
  readonly homepage?: string
  readonly tags?: readonly string[]
  /** The module to load, relative to the manifest. Default `index.js`. */
  readonly main?: string
  readonly requires: {
    /** SemVer range of the host's API. */
    readonly api: string
    /** Capabilities that some other plugin must provide → SemVer range: `{"acme.cloud-login": "^1.2"}`. */
    readonly capabilities?: Readonly<Record<string, string>>
  }
  /** Capabilities it provides to other plugins → SemVer of each. */
  readonly provides?: Readonly<Record<string, string>>
  readonly stateVersion?: number
  /** Point id → name → metadata. For a data point the metadata is the value itself. */
  readonly contributes?: Readonly<Record<string, Readonly<Record<string, ContributionMetadata>>>>
  readonly dependencies?: readonly ManifestDependency[]
  /** `area:verb argument…`, such as `net:connect api.example.com:443`, `fs:read ./data`, `exec qemu-img`. */
  readonly permissions?: readonly string[]
  readonly limits?: ManifestLimits
  /** JSON Schema 2020-12 of the plugin's settings. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Tiers the plugin works in, most wanted first. Default: all. */
  readonly runtime?: readonly Tier[]
  readonly activation?: 'lazy' | 'eager'
  readonly criticality?: Criticality
}

/** Free-form, validated by the point; a hook's handler may say where it stands in the order. */
export type ContributionMetadata = Readonly<Record<string, unknown>>

/** Order of one hook handler. Phases run early, normal, late; then `before`/`after`; then plugin id. */
export interface HandlerOrder {
  readonly phase?: 'early' | 'normal' | 'late'
  /** Plugin ids whose handlers come later. */
  readonly before?: readonly string[]
  /** Plugin ids whose handlers come earlier. */
  readonly after?: readonly string[]
}

/** Another plugin that must be (or, when optional, should be) there first. */
export interface ManifestDependency {
  readonly id: string
  /** SemVer range. */
  readonly range: string
  readonly optional?: boolean
}

/** Asked-for ceilings; the host's own settings may lower them, never the plugin raise the host's. */
export interface ManifestLimits {
  /** Size with unit: `"256MiB"`. */
  readonly memory?: string
  /** Of one processor. */
  readonly cpuPercent?: number
  /** Processes and threads. */
  readonly processes?: number
  readonly openFiles?: number
  /** What its temporary directory may hold, with unit. */
  readonly tmp?: string
  /** What its data directory may hold, with unit. */
  readonly data?: string
  /** Calls at once. */
  readonly concurrency?: number
  /** Longest call, with unit: `"30s"`. */
  readonly timeout?: string
  /** What `scope.state` may hold, with unit. */
  readonly state?: string
}

/** Where a plugin's code runs, named by what it guarantees. */
export type Tier = 'trusted' | 'contained' | 'confined' | 'foreign' | 'wasm'

/** What a plugin's failure means to the host. */
export type Criticality = 'required' | 'optional' | 'fail-closed'
