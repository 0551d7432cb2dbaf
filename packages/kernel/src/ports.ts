import type {
  Directories,
  LogFields,
  LogLevel,
  Manifest,
  PlatformErrorJson,
  PluginIdentity,
  PluginModule,
  Progress,
  Tier,
} from '@backplane/sdk'
import type { PackageAttestation } from './admission-port.ts'
import type { ManifestSummary } from './manifest-summary.ts'
import type { Use, UseVerb } from './permission-use.ts'
import type {
  Enforcement,
  Grants,
  Isolation,
  LimitName,
  Limits,
  ProfileKind,
  ProfileOptions,
  Usage,
  Violation,
} from './containment.ts'

export type * from './admission-port.ts'
export type * from './containment.ts'
export type * from './permission-use.ts'

/*
 * What the kernel needs from the outside, and nothing of how it is done. A Source finds packages, a Runtime runs one,
 * a Store keeps text, a SecretBroker resolves handles; Clock and Log are what tests replace.
 */

/** A place packages come from. It runs nothing of what it finds. */
export interface Source {
  /** Stable, shown in records: `bundled`, `directory:/var/lib/…`. */
  readonly name: string
  /** `bundled` code ships with the host; everything else is `external`. Policy starts from this. */
  readonly origin: 'bundled' | 'external'
  /** Everything there is now. A broken package is a problem in the answer, never a throw that hides the others. */
  readonly list: (signal: AbortSignal) => Promise<SourceListing>
  /**
   * Calls `changed` when `list` would answer differently and the bytes have settled. A hint, not the truth: the kernel
   * lists again, and lists from time to time without being told. Dispose to stop.
   */
  readonly watch?: (changed: () => void) => AsyncDisposable
  /**
   * A package that was staged before, by its digest; undefined when it is kept no more. In use like one just staged.
   * Without this a plugin can go back only to a version that the source still has, or that this host still runs.
   */
  readonly recall?: (digest: string, signal: AbortSignal) => Promise<RecalledPackage | undefined>
  /** A plugin was removed by hand: nothing of what is kept for {@link recall} is wanted any more. Never rejects. */
  readonly forget?: (plugin: string) => Promise<void>
  /**
   * Keeps what the kernel read of packages that were listed, so that the next start need not read them: then `summary` is
   * set on packages that are as they were. Only saves time; never rejects.
   */
  readonly remember?: (summaries: ReadonlyMap<FoundPackage, ManifestSummary>) => Promise<void>
}

/** A package of which only the staged bytes are left, and the manifest it was listed with. */
export interface RecalledPackage {
  readonly manifest: unknown
  readonly staged: StagedPackage
}

/** What a source holds at one moment. */
export interface SourceListing {
  /** In order of precedence: of two packages with one id the first wins, the other is recorded as shadowed. */
  readonly packages: readonly FoundPackage[]
  readonly problems: readonly SourceProblem[]
}

/**
 * A package that is there but cannot be read as one. Where its `error` names the `plugin`, it stands for that plugin by
 * precedence: nothing of a later source runs in its place.
 */
export interface SourceProblem {
  /** Where it is, as the operator would name it. */
  readonly path: string
  readonly error: PlatformErrorJson
}

/** One package as found. */
export interface FoundPackage {
  /**
   * Shape, API range and policy are checked by the kernel; `unknown` because nothing vouches for it. May be parsed when it
   * is asked for.
   */
  readonly manifest: unknown
  /** What an earlier start read of exactly this manifest; see {@link Source.remember}. */
  readonly summary?: ManifestSummary | undefined
  /** Where the manifest was read, with positions for messages when the source has them. */
  readonly manifestPath: string
  /** Where it is, as the operator would name it; shown as `path`. */
  readonly path: string
  /** Cheap; differs whenever the package's bytes may differ. */
  readonly fingerprint: string
  /**
   * Brings the package into a place nobody else writes and answers the digest of exactly the bytes that will be loaded.
   * Errors: `SOURCE_CHANGED` when the bytes changed meanwhile, `SOURCE_TOO_LARGE`, `SOURCE_UNSAFE_ENTRY` (links,
   * devices), `SOURCE_ENTRY_MISSING` (no `main`).
   */
  readonly stage: (signal: AbortSignal) => Promise<StagedPackage>
}

/** A package ready to be loaded. */
export interface StagedPackage {
  /** `sha256:` and 64 hexadecimal digits over the sorted tree; for a module in memory, of its manifest. */
  readonly digest: string
  readonly code: PackageCode
  /** What others say about the package, as found with it: signatures and the like. Nobody has believed it yet. */
  readonly attestations?: readonly PackageAttestation[]
  /** How it came to its source, where that fetched it. */
  readonly arrival?: PackageArrival
  /** Whether `code` still holds what `digest` says; asked before every further start from it. Without it, nobody can have changed it. */
  readonly isWhole?: (signal: AbortSignal) => Promise<boolean>
  /**
   * Called once nobody will load from `code` any more; the place may be gone when it settles. Until then it stays, also for
   * other processes. Idempotent, never rejects.
   */
  readonly release?: () => Promise<void>
}

/** How a package was fetched, as its source keeps it where nobody else writes. */
export interface PackageArrival {
  /** Where from, as policies name it: `npm:@acme/s3`. */
  readonly source: string
  /** Of the archive it came in: `sha256:` and 64 hexadecimal digits. */
  readonly archive?: string
  /** Of the same: `sha512:` and 128 hexadecimal digits. */
  readonly archiveSha512?: string
  /** When it was published, as was said there, ms since the epoch. */
  readonly publishedAtMs?: number
}

/** Where the code is. A `module` is already in memory and runs only in the `trusted` tier. */
export type PackageCode =
  | {
      readonly kind: 'files'
      /** Absolute; never written again. */
      readonly directory: string
      /** Relative to `directory`. */
      readonly main: string
      /** A module of the host's that turns the package's exports into a plugin: exports `adapt(namespace): PluginModule`. */
      readonly adapter?: string
    }
  | { readonly kind: 'module'; readonly module: PluginModule }

/** Where a plugin's code runs. One implementation per tier. */
export interface Runtime extends AsyncDisposable {
  readonly tier: Tier
  /** What this tier can really enforce on this machine for these permissions and limits. Pure and cheap. */
  readonly enforces: (grants: Grants, limits: Limits, isolation: Isolation) => readonly Enforcement[]
  /**
   * Why a plugin with these cannot run in audit mode, where each use of its grants is told, as half a sentence; undefined: it can.
   * Only where something else than what tells denies what was not granted. Absent: the tier has no such mode. Pure and cheap.
   */
  readonly cannotAudit?: (grants: Grants, isolation: Isolation) => string | undefined
  /**
   * Loads the code, runs `setup` and answers once the plugin is ready. Errors: `RUNTIME_LOAD_FAILED`,
   * `RUNTIME_MIGRATE_FAILED`, `RUNTIME_SETUP_FAILED`, `RUNTIME_NOT_READY` (deadline), `RUNTIME_EXITED`. On error nothing is
   * left running.
   */
  readonly start: (request: StartRequest, host: HostLink, signal: AbortSignal) => Promise<Instance>
}

/** All a runtime needs to start one generation of one plugin. */
export interface StartRequest {
  readonly plugin: PluginIdentity
  readonly host: { readonly name: string; readonly api: string }
  readonly code: PackageCode
  readonly config: unknown
  readonly grants: Grants
  readonly limits: Limits
  readonly isolation: Isolation
  /** In audit mode; set only where {@link Runtime.cannotAudit} has nothing to say. */
  readonly audit?: true
  readonly directories: Directories
  /** When what is stored is of another `stateVersion`: the plugin's `migrate` runs before its `setup`. */
  readonly migrate?: { readonly from: number; readonly to: number }
  /** Names the manifest declares: point id → names. Anything else is `POINT_UNDECLARED`. */
  readonly declared: Readonly<Record<string, readonly string[]>>
  /** From the start of `start` to readiness, ms. */
  readonly readyMs: number
}

/** Which function of a plugin (or of the host) is meant. */
export interface Target {
  readonly point: string
  readonly name: string
  /** A provider's method; for a hook's handler `handle`. */
  readonly method: string
  /** An opened instance, from `open`. */
  readonly instance?: number
}

/**
 * The part of an `AbortSignal` that is enough to pass a call's end on; it keeps one listener. Making a signal and
 * listening to it costs as much as the rest of a small call.
 */
export interface Cancellation {
  readonly aborted: boolean
  readonly reason: unknown
  readonly addEventListener: (type: 'abort', listener: CancellationListener) => void
  readonly removeEventListener: (type: 'abort', listener: CancellationListener) => void
}

/** Told when a {@link Cancellation} is aborted. */
export interface CancellationListener {
  readonly handleEvent: () => void
}

/** What goes with one call, whichever way it crosses. */
export interface CallContext {
  readonly signal: AbortSignal
  /** The same end as `signal`, for a runtime that only passes it on. */
  readonly cancellation?: Cancellation | undefined
  readonly deadlineAtMs: number | undefined
  readonly traceId: string
  readonly caller: string
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * One side's way to call the other. In process it is the functions themselves; over a session both ends are adapters.
 * Values are JSON, with `Uint8Array` allowed as the value itself or as one of its direct members.
 */
export interface Invoker {
  readonly call: (target: Target, value: unknown, context: CallContext) => Promise<unknown>
  readonly stream: (target: Target, value: unknown, context: CallContext) => AsyncIterable<unknown>
  /** Opens an instance of a provider; the number is valid until `close` or the end of the generation. */
  readonly open: (target: Target, options: unknown, context: CallContext) => Promise<OpenedInstance>
  readonly close: (target: Target) => Promise<void>
}

/** An opened provider instance: its number, and the methods its object supplies. */
export interface OpenedInstance {
  readonly instance: number
  readonly methods: readonly string[]
}

/** What a plugin asks of its host. `call` and the rest reach other plugins through the host's dispatcher. */
export interface HostLink extends Invoker {
  readonly emit: (point: string, value: unknown, context: CallContext) => Promise<unknown>
  readonly secret: (name: string) => Promise<string>
  readonly state: {
    readonly get: (key: string) => Promise<unknown>
    readonly set: (key: string, value: unknown) => Promise<void>
    readonly delete: (key: string) => Promise<void>
    readonly keys: (prefix: string) => Promise<readonly string[]>
  }
  readonly log: (line: PluginLogLine) => void
  /** Told by the runtime when the plugin went, or tried to go, over a limit or past a grant. */
  readonly violated: (violation: Violation) => void
  /** Told by the runtime of uses of what was granted, as far as {@link Instance.tellsUse} says. Cheap, and never throws. */
  readonly used: (use: Use) => void
  /** Told by the runtime when the plugin used more at once than it could tell of: what was not told may have been used. Never throws. */
  readonly untold?: () => void
}

/** One log line of a plugin, or of its standard output. */
export interface PluginLogLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields?: LogFields
  readonly traceId?: string
}

/** One registered thing, as `setup` left it. */
export interface Contribution {
  readonly point: string
  readonly name: string
  readonly kind: 'hook' | 'provider' | 'data'
  /** A provider's methods that the plugin supplies; for one that is opened, the empty list. */
  readonly methods: readonly string[]
  /** For data added at run time. */
  readonly value?: unknown
}

/** One running generation. */
export interface Instance extends Invoker {
  readonly tier: Tier
  /** Of the process the code runs in, or of the sandbox around it, which ends with it; the host's own for tiers inside it. */
  readonly pid: number
  readonly contributions: readonly Contribution[]
  /**
   * The plugin's directories by the names it knows them by, when these differ from the request's; the host may use them
   * too, as long as the instance runs. A path that is handed to the plugin must be one of these.
   */
  readonly directories?: Directories
  /** What its runtime tells every use of; absent: of nothing. */
  readonly tellsUse?: readonly UseVerb[]
  /** Rejects when the other side does not answer in time. */
  readonly ping: (deadlineMs: number) => Promise<void>
  /** Runs the plugin's own health check; rejects with its error, or when it does not answer in time. */
  readonly health: (deadlineMs: number) => Promise<void>
  /** What it uses now. Rejects when that cannot be told in time. */
  readonly usage: (deadlineMs: number) => Promise<Usage>
  /**
   * The bytes of a profile, taken while they are read: of a `.cpuprofile` or a `.heapsnapshot`. Absent where the code
   * cannot be told from the host's own. What runs the plugin may make them, so they are as trustworthy as the plugin.
   * A heap stands still while it is taken, and takes about its own size of memory once more.
   * Errors: `RUNTIME_PROFILE_FAILED`, `RUNTIME_PROFILE_SLOW`, `RUNTIME_EXITED`.
   */
  readonly profile?: (kind: ProfileKind, options: ProfileOptions) => AsyncIterable<Uint8Array>
  /** What the plugin hands to its successor (`scope.snapshot`); undefined when it hands over nothing. */
  readonly snapshot: (deadlineMs: number) => Promise<unknown>
  /** Gives it what its predecessor handed over (`scope.restore`), before the first call reaches it. */
  readonly restore: (value: unknown, deadlineMs: number) => Promise<void>
  /**
   * Calls given up on this side, by signal or deadline, for longer than `forMs`, that the plugin has not ended yet; undefined
   * in tiers where a call's promise tells.
   */
  readonly abandoned?: (forMs: number) => number
  /** Runs the plugin's cleanups and ends it; after `graceMs` it is killed. Idempotent, never rejects. */
  readonly stop: (graceMs: number) => Promise<void>
  /** Settles once, when nothing of the plugin runs any more. Never rejects. */
  readonly exited: Promise<ExitCause>
}

/** Why a generation ended. */
export type ExitCause =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'exit'; readonly code: number; readonly lastLines: readonly string[] }
  | { readonly kind: 'signal'; readonly signal: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'memory'; readonly detail: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'protocol'; readonly detail: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'hang'; readonly detail: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'unhealthy'; readonly detail: string; readonly lastLines: readonly string[] }
  /** `limit`, where its tier ended it for going over one; what the kernel ends is told before. */
  | { readonly kind: 'limit'; readonly detail: string; readonly lastLines: readonly string[]; readonly limit?: LimitName }

/**
 * Keeps small texts durably: a namespace holds keys, a value is text. A write is durable when its promise settles.
 * Implementations: in memory (tests) and SQLite.
 */
export interface Store extends AsyncDisposable {
  readonly get: (namespace: string, key: string) => Promise<string | undefined>
  /** Errors: `STATE_QUOTA_EXCEEDED` when the namespace would hold more than `quotaBytes` (keys and values, UTF-8). */
  readonly set: (namespace: string, key: string, value: string, quotaBytes?: number) => Promise<void>
  readonly delete: (namespace: string, key: string) => Promise<void>
  /** Sorted by code point. */
  readonly keys: (namespace: string, prefix: string) => Promise<readonly string[]>
  /** Forgets a namespace. */
  readonly clear: (namespace: string) => Promise<void>
}

/** Turns `${secret:name}` handles into values at the moment of use. */
export interface SecretBroker {
  /** Undefined when it has no such secret. */
  readonly resolve: (name: string, plugin: string) => Promise<string | undefined>
}

/** Time, as tests replace it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Calls once after `ms`; dispose to cancel. Does not keep the process alive. */
  readonly after: (ms: number, run: () => void) => Disposable
}

/** Where the kernel and plugins write lines. */
export interface Log {
  readonly write: (line: KernelLogLine) => void
}

/** One line; `plugin` is set for a plugin's own lines and for lines about one. */
export interface KernelLogLine extends PluginLogLine {
  readonly plugin?: string
  readonly generation?: number
}

/** Manifest as the kernel accepted it: shape checked, defaults filled in. */
export type AcceptedManifest = Manifest &
  Required<Pick<Manifest, 'main' | 'contributes' | 'dependencies' | 'permissions' | 'activation' | 'criticality'>>
