import type {
  CallOptions,
  Client,
  DataPoint,
  HookPoint,
  OpenedClient,
  PermissionVocabulary,
  Point,
  ProviderHandle,
  ProviderPoint,
} from '@backplane/sdk'
import type { EventLog } from './events.ts'
import type { EmitOptions, HookOutcome } from './hook-outcome.ts'
import type { PluginUses } from './permission-use.ts'
import type { ProfileKind, ProfileOptions } from './ports.ts'
import type { NamespaceDirectory } from './supervision.ts'
import type { Failure, HistoryEntry, PluginRecord } from './record.ts'

export type * from './hook-outcome.ts'
export type * from './kernel-options.ts'

/**
 * The object a host embeds. It moves plugins through five stages (discover, check, resolve, start, stop) and keeps the
 * truth about them. Dispose it to drain and stop everything: `await using kernel = await createKernel({…})`.
 */
export interface Kernel extends AsyncDisposable {
  readonly host: { readonly name: string; readonly api: string }
  /** The host's points, as given to `createKernel`; what a listing names a plugin's contributions by. */
  readonly points: readonly Point[]
  /** Permissions of the host's own, as given to `createKernel`. */
  readonly permissions: PermissionVocabulary
  /** What came of starting; starting many things returns a report, it does not throw. */
  readonly report: StartReport
  readonly plugins: PluginDirectory
  readonly events: EventLog
  /** Groups of plugins with shared limits; a plugin that no group names is in `default`. */
  readonly namespaces: NamespaceDirectory
  /**
   * A provider by name, through the dispatcher: schema of input and output, permission, deadline, concurrency,
   * metrics, attribution. The handle stays valid over updates: each call goes to the generation that serves then; an
   * opened instance stays on its own. Errors of each call: `POINT_UNKNOWN_PROVIDER` with the nearest name,
   * `PLUGIN_UNAVAILABLE` with the record's reason, `CALL_INPUT_INVALID`, `CALL_OUTPUT_INVALID`, `CALL_DEADLINE`,
   * `CALL_QUEUE_FULL`, `CALL_METHOD_MISSING`, `PLUGIN_EXITED`, `CALL_FAILED` (what the plugin threw, with
   * `details.pluginCode`), `CALL_DRAINED` (not finished in the drain time), `KERNEL_STOPPING`; of an opened instance or a
   * lease also `GENERATION_ENDED`; of what a plugin calls, and where {@link KernelOptions.approvals} demands it of the host,
   * also `CALL_NOT_PERMITTED`, `APPROVAL_DENIED`, `APPROVAL_EXPIRED`, `APPROVAL_UNAVAILABLE`. Cancelled by its signal, a call
   * rejects with the signal's reason. In the `trusted` tier values are handed over as they are after the schema; they are not
   * copied, but for those a person was asked about.
   */
  readonly provider: <P extends ProviderPoint>(point: P, name: string) => ProviderHandle<P>
  /** What is declared for a point, without starting anything. Sorted by name; handlers of a hook in the order they run. */
  readonly contributions: (point: Point) => readonly PointUser[]
  /** Values of a data point, declared and added at run time. */
  readonly data: <V>(point: DataPoint<V>) => readonly DataEntry<V>[]
  /** Runs a hook's handlers by its strategy; the answer is the value (`pipe`), the first answer, or the veto. */
  readonly emit: <V, A>(point: HookPoint<V, A>, value: V, options?: EmitOptions) => Promise<HookOutcome<V, A>>
  /** Told the users of a point at once and after each change; first load and reload are one code path. */
  readonly watch: (point: Point, listener: PointListener) => Disposable
  /**
   * Holds the generation that serves `name` now: calls through the lease end on the version they began on, while new
   * work uses the new one. Dispose it, or the generation drains until its deadline. Starts an idle plugin.
   */
  readonly lease: <P extends ProviderPoint>(point: P, name: string, options?: CallOptions) => Promise<Lease<P>>
}

/** A pinned generation of one provider. */
export interface Lease<P extends ProviderPoint> extends AsyncDisposable {
  readonly plugin: string
  readonly version: string
  readonly generation: number
  /** Where files may be handed over for one call; see {@link Directories.exchange}. */
  readonly exchangeDirectory: string
  readonly handle: ProviderHandle<P>
  /** Aborted with the reason when the generation can no longer be used. */
  readonly signal: AbortSignal
}

/** The plugins and what may be done with them. Ids are `publisher/name`; a bare `name` is taken when only one has it. */
export interface PluginDirectory {
  /** Sorted by id. */
  readonly list: () => readonly PluginRecord[]
  readonly get: (id: string) => PluginRecord | undefined
  /**
   * Lists the sources again and applies what changed: starts, updates, removes; and tries again what failed before anything of it
   * ran. Never throws for one plugin's sake.
   */
  readonly refresh: (signal?: AbortSignal) => Promise<RefreshReport>
  /**
   * Asks the admission again about what serves: after its policy was changed, or an advisory came in. What is refused now, or may
   * do more than is approved, takes no more calls and is drained and stopped. Answers their ids. What was refused before is tried again.
   */
  readonly readmit: () => Promise<readonly string[]>
  /** Starts a new generation beside the serving one even if nothing changed; on failure the old one goes on. */
  readonly reload: (id: string) => Promise<PluginRecord>
  readonly enable: (id: string) => Promise<PluginRecord>
  /** Drains and stops; survives restarts until enabled again. */
  readonly disable: (id: string, reason?: string) => Promise<PluginRecord>
  /** Drains, stops and forgets it until its source changes; files are the source's business. */
  readonly remove: (id: string, options?: { readonly keepState?: boolean }) => Promise<void>
  /** Starts an idle plugin now. */
  readonly start: (id: string) => Promise<PluginRecord>
  /**
   * Why an idle plugin would not be let in by its first call, which is when the admission is asked; undefined where it would be, or
   * is not idle. Takes as long as hashing its files, and as whom the admission asks. Errors: `PLUGIN_UNKNOWN`, the reason of the signal.
   */
  readonly refusal: (id: string, signal: AbortSignal) => Promise<Failure | undefined>
  /** Lets a plugin out of quarantine and forgets its troubles. Errors: `PLUGIN_NOT_QUARANTINED`. */
  readonly release: (id: string) => Promise<PluginRecord>
  /**
   * Puts an earlier version in the place of the one that serves, beside which it starts: by default the one that served
   * before. It stays, also after a restart, until the sources have something new. When it cannot start, what serves goes on
   * and the record says why. Errors: `VERSION_UNKNOWN`, `VERSION_GONE`, `VERSION_PINNED`.
   */
  readonly rollback: (id: string, options?: { /** A version of its history. */ readonly to?: string }) => Promise<PluginRecord>
  /** Versions that served or were to serve, newest first; survives restarts. The newest 20 are kept. */
  readonly history: (id: string) => Promise<readonly HistoryEntry[]>
  /** What the version that serves, or would, used of its permissions; survives restarts. The newest 5 versions are kept. */
  readonly uses: (id: string) => Promise<PluginUses>
  /**
   * Lets only this version serve, whatever the sources have, also after a restart; undefined takes the pin off. Errors:
   * `VERSION_GONE` when neither the sources nor what is kept of earlier versions have it.
   */
  readonly pin: (id: string, version: string | undefined) => Promise<PluginRecord>
  /**
   * The bytes of a profile of the generation that serves: of a `.cpuprofile` or a `.heapsnapshot`, as its tier makes them
   * while they are read. Ended by its signal. Errors: `PLUGIN_UNKNOWN`, thrown; `PROFILE_NOT_RUNNING`, `PROFILE_SHARED` (the
   * tier shares the process of the host), `PROFILE_BUSY`, and those of the tier, by the first piece.
   */
  readonly profile: (id: string, kind: ProfileKind, options: ProfileOptions) => AsyncIterable<Uint8Array>
}

/** What a refresh did, by plugin id. */
export interface RefreshReport {
  readonly added: readonly string[]
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly unchanged: number
  /** Plugins that are not as wanted, with the reason in their record. */
  readonly failed: readonly string[]
}

/** What came of starting the host's plugins. `ok` is false only when a `required` one failed. */
export interface StartReport {
  readonly ok: boolean
  readonly tookMs: number
  readonly plugins: readonly { readonly id: string; readonly version: string; readonly state: string; readonly reason?: string }[]
}

/** One plugin's entry in a point. */
export interface PointUser {
  readonly plugin: string
  readonly version: string
  readonly name: string
  readonly metadata: Readonly<Record<string, unknown>>
  /** Whether a call would be taken now (it may have to start the plugin first). */
  readonly available: boolean
  readonly reason?: string
  /** Not available now, but a later call is taken and starts the plugin anew: it failed to start, or ended too often. */
  readonly recovers?: true
}

/** One value of a data point and where it comes from. */
export interface DataEntry<V> {
  readonly plugin: string
  readonly name: string
  readonly value: V
}

/** Users of a point now, and how that differs from the last call. */
export type PointListener = (
  users: readonly PointUser[],
  delta: { readonly added: readonly PointUser[]; readonly removed: readonly PointUser[] },
) => void

export type { Client, OpenedClient }
