import type { CallOptions, Logger } from './call.ts'
import type { DataPoint, HookHandler, HookPoint, Provided, ProviderHandle, ProviderPoint } from './point.ts'

/**
 * What one running plugin is given. Whatever is registered through it is undone, in reverse order, when the plugin
 * stops; nothing has to be unregistered by hand. `on`, `provide` and `contribute` are legal only while `setup` runs
 * (`SCOPE_SETUP_OVER` afterwards), and only for names the manifest declares (`POINT_UNDECLARED`), because the host
 * lists, orders and grants by the manifest before any code runs.
 */
export interface Scope<Config = unknown> {
  readonly plugin: PluginIdentity
  readonly host: { readonly name: string; readonly api: string }
  /** The plugin's settings, validated against the manifest's `config` schema with defaults filled in. Frozen. */
  readonly config: Config
  readonly secrets: Secrets
  readonly log: Logger
  readonly state: State
  /** Aborted when the plugin is told to stop. */
  readonly signal: AbortSignal
  /** Directories this plugin may use. */
  readonly directories: Directories
  /** Handles a hook. `name` is the manifest's name for this handler. */
  readonly on: <P extends HookPoint>(point: P, name: string, handler: HookHandler<P>) => void
  /** Implements a provider under `name`. */
  readonly provide: <P extends ProviderPoint>(point: P, name: string, provided: Provided<P>) => void
  /** Adds a value that could not be written into the manifest. */
  readonly contribute: <V>(point: DataPoint<V>, name: string, value: V) => void
  /** Calls a provider of another plugin, through the host: same checks, deadlines and attribution as any call. */
  readonly use: <P extends ProviderPoint>(point: P, name: string) => ProviderHandle<P>
  /** Emits a hook that the host allows plugins to emit; events between plugins are hooks. */
  readonly emit: <V, A>(point: HookPoint<V, A>, value: V, options?: CallOptions) => Promise<unknown>
  /**
   * Says whether the plugin can do its work now: throw when it cannot. The host asks before it lets a new version serve,
   * and from time to time after that; it gives a few seconds. One check at most; registered while `setup` runs.
   */
  readonly health: (check: () => void | Promise<void>) => void
  /**
   * Hands what is only in memory over to the next version: `take` is asked when that one is ready to serve, and what it
   * answers (JSON) is what the other's {@link restore} is given. The version asked may still have to go on: the next one
   * can fail, or be taken back.
   */
  readonly snapshot: (take: () => unknown) => void
  /** Is given what the version before handed over, before the first call. Not called when there was nothing. */
  readonly restore: (put: (value: unknown) => void | Promise<void>) => void
  /** Runs when the plugin stops, last registered first; each has the plugin's stop deadline. */
  readonly defer: (cleanup: () => void | Promise<void>) => void
}

/** Which plugin this is; `generation` grows by one with every start of it. */
export interface PluginIdentity {
  readonly id: string
  readonly version: string
  readonly generation: number
}

/** Absolute paths; the confined tier grants exactly these beside what the permissions name. */
export interface Directories {
  /** Where the plugin's own files are. Read-only. */
  readonly code: string
  /** Kept between starts; counted against the plugin's disk limit. */
  readonly data: string
  /**
   * Where the host makes one directory per call that needs files handed over; the host takes them away when the call
   * ends, so nothing here outlives its call.
   */
  readonly exchange: string
}

/** Secrets are handles: settings hold a name, the value is fetched at the moment of use and the fetch is recorded. */
export interface Secrets {
  /** Errors: `SECRET_NOT_GRANTED` when the settings do not name it, `SECRET_UNRESOLVED` when the broker has no value. */
  readonly get: (name: string) => Promise<string>
}

/**
 * A durable key-value store of the plugin's own. Keys are 1 to 256 characters; values are JSON. Writes are durable when
 * the promise settles. Errors: `STATE_QUOTA_EXCEEDED` (nothing is written), `STATE_KEY_INVALID`.
 */
export interface State {
  readonly get: (key: string) => Promise<unknown>
  readonly set: (key: string, value: unknown) => Promise<void>
  readonly delete: (key: string) => Promise<void>
  /** Sorted; `prefix` narrows. */
  readonly keys: (prefix?: string) => Promise<readonly string[]>
}
