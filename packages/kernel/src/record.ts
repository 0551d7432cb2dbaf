import type { Criticality, Tier } from '@backplane/sdk'
import type { AcceptedManifest, Enforcement, ExitCause, Grants, LimitName, Limits, PluginTrust } from './ports.ts'
import type { AuditMode } from './permission-use.ts'
import type { SpentUsage, StallMark, UsageSample } from './supervision.ts'

/** Which of the five stages a plugin was in; `probation` is the time after an update in which it can be taken back. */
export type Stage = 'discover' | 'check' | 'resolve' | 'start' | 'stop' | 'probation'

/** Why a plugin is where it is; kept until the next transition, never guessed later. */
export interface Failure {
  readonly stage: Stage
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/** Why one call of a plugin failed; not its input or its answer. */
export interface CallFailure {
  readonly atMs: number
  readonly point: string
  readonly method: string
  /** The plugin's own code, else the host's; undefined for an error without. */
  readonly code: string | undefined
  /** At most 300 characters, without secrets that were handed out. */
  readonly message: string
}

/** The state of a plugin. Exactly one holds; each carries what only it has. */
export type PluginState =
  | { readonly name: 'discovered' }
  | { readonly name: 'checked' }
  | { readonly name: 'blocked'; readonly reason: string; readonly permissions: readonly string[] }
  | { readonly name: 'resolved' }
  | { readonly name: 'idle' }
  | { readonly name: 'starting'; readonly generation: number }
  | {
      readonly name: 'active'
      readonly generation: number
      readonly tier: Tier
      readonly pid: number
      readonly startedAtMs: number
    }
  | { readonly name: 'draining'; readonly generation: number; readonly reason: string; readonly calls: number }
  | { readonly name: 'stopped'; readonly reason: string }
  | { readonly name: 'disabled'; readonly reason: string }
  /** With `retryAtMs`, ms since the epoch, calls are taken again from then on; one that is to run starts by itself. */
  | { readonly name: 'failed'; readonly failure: Failure; readonly retryAtMs?: number }
  /** Takes no calls until it is released by hand or another package is in its place. */
  | { readonly name: 'quarantined'; readonly failure: Failure }

/** The name of a state. */
export type StateName = PluginState['name']

/**
 * The truth about one plugin. A failed plugin is a state with stage, reason and hint; never an absence. A plugin whose
 * update failed stays `active` on the old version and carries the failure in `update`.
 */
export interface PluginRecord {
  readonly id: string
  /** The version that serves (or would); for a package whose manifest cannot be read, `0.0.0`. */
  readonly version: string
  /** Undefined when the manifest could not be accepted. */
  readonly manifest: AcceptedManifest | undefined
  /** What its failure means here: the operator's word, else the manifest's, else `optional`. */
  readonly criticality?: Criticality
  readonly source: string
  readonly origin: 'bundled' | 'external'
  readonly path: string
  readonly state: PluginState
  /** When the state was entered, ms since the epoch. */
  readonly sinceMs: number
  /** Number of the newest generation; 0 before the first start. */
  readonly generation: number
  /** Of the bytes last loaded. */
  readonly digest: string | undefined
  /** Older generations still finishing calls, oldest first. */
  readonly draining: readonly DrainingGeneration[]
  /** The last update, when it did not succeed: what was tried and why the old version went on. */
  readonly update: FailedUpdate | undefined
  /** The version it is pinned to by hand; others that the sources have are ignored. */
  readonly pinned: string | undefined
  /** Why a version that the sources have is not taken. */
  readonly held: Hold | undefined
  /** While a new version is watched and the one before it kept ready to take over again. */
  readonly probation: ProbationRecord | undefined
  /** Other packages with this id that lost by precedence. */
  readonly shadowed: readonly string[]
  /** Worth knowing and not wrong enough to refuse: a point this host does not have, with the nearest it has. */
  readonly notes: readonly string[]
  readonly grants: Grants
  /** Permissions it asks for that the operator keeps from it; absent: none. */
  readonly withheld?: readonly string[]
  /** Whether it runs in audit mode; absent where it was not to. */
  readonly audit?: AuditMode | undefined
  /** What the decision to let it run rests on; undefined before the first start, and without an admission. */
  readonly trust: PluginTrust | undefined
  /** How each permission and limit is enforced by the tier; also the waivers. Empty before the first start. */
  readonly enforcement: readonly Enforcement[]
  readonly counters: Counters
  /** What it may use; undefined before the first start. */
  readonly limits: Limits | undefined
  /** The group whose limits it shares. */
  readonly namespace: string
  /** Its last unexpected end, with the last lines it wrote. */
  readonly lastExit: LastExit | undefined
  /** How often it went over a limit, by limit, since the host started; what it never went over is left out. */
  readonly violations: Readonly<Partial<Record<LimitName, number>>>
  /** How often it tried something it was not granted. */
  readonly denials: number
  /** When it was last asked; undefined while it does not run, and for `trusted`. */
  readonly usage: UsageSample | undefined
  /** Why its newest calls failed, the newest last; at most five. */
  readonly recentFailures?: readonly CallFailure[] | undefined
  /** The longest its event loop stood still within the last ten minutes, whichever generation it was. */
  readonly worstStall?: StallMark | undefined
  /** Of all its generations; absent before any was asked. */
  readonly spent?: SpentUsage | undefined
  /** What the last look at it came to; undefined before. */
  readonly health: HealthRecord | undefined
  /** Its providers and handlers that failed not long ago; those that are not asked for now are `open`. */
  readonly breakers: readonly BreakerRecord[]
}

/** How a generation ended that was not asked to. */
export interface LastExit {
  readonly generation: number
  readonly atMs: number
  readonly cause: ExitCause
}

/** The last look at a running plugin. */
export interface HealthRecord {
  readonly atMs: number
  /** Looks in a row without a good answer; 0 is healthy. */
  readonly failures: number
  /** Why the last one was not good. */
  readonly problem?: string
}

/** Whether a provider or handler is asked. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** A provider or handler that failed not long ago. */
export interface BreakerRecord {
  readonly point: string
  readonly name: string
  readonly state: BreakerState
  /** Failures in a row. */
  readonly failures: number
  /** When one call may try it, ms since the epoch; only while it is open. */
  readonly retryAtMs?: number
}

/** A generation that takes no new calls. */
export interface DrainingGeneration {
  readonly generation: number
  readonly version: string
  readonly calls: number
  readonly leases: number
  readonly sinceMs: number
}

/** The version that served before and takes over again if need be, and until when. */
export interface ProbationRecord {
  /** Kept warm; undefined after a restart of the host, when a fresh one would have to be started. */
  readonly generation: number | undefined
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly untilMs: number
}

/**
 * A version that serves instead of the one that the sources have: that one was moved back, could not be started, waits for
 * permissions to be approved, or was rolled back by hand. Over once the sources have something else.
 */
export interface Hold {
  readonly why: 'moved back' | 'failed' | 'rolled back' | 'not approved'
  /** What serves. */
  readonly to: { readonly version: string; readonly digest: string }
  /** What the sources have. */
  readonly against: { readonly version: string; readonly digest?: string }
  readonly sinceMs: number
  /** What was wrong with it; undefined when somebody decided so. */
  readonly update?: FailedUpdate
  /** Where it is not approved: what it asks for that nobody approved. */
  readonly permissions?: readonly string[]
}

/** One version of a plugin: when it served, and what became of it. */
export interface HistoryEntry {
  readonly version: string
  /** Undefined for bytes that were never read as a whole. */
  readonly digest?: string
  readonly stateVersion: number
  /** From its first call to its last but for those it still ended; milliseconds since the epoch. */
  readonly fromMs: number
  /** Undefined while it serves. */
  readonly toMs?: number
  /** `failed` never served; `moved back` was found worse than the one before it, `rolled back` was taken back by hand. */
  readonly outcome: 'serving' | 'replaced' | 'moved back' | 'rolled back' | 'failed'
  readonly reason?: string
}

/** Why an update left the old version serving. */
export interface FailedUpdate {
  readonly version: string
  readonly atMs: number
  readonly failure: Failure
}

/** Since the host started. Latencies are milliseconds. */
export interface Counters {
  readonly calls: number
  readonly errors: number
  readonly active: number
  readonly queued: number
  readonly latency: {
    readonly count: number
    readonly sumMs: number
    readonly p50Ms: number
    readonly p99Ms: number
    readonly buckets: readonly HistogramBucket[]
  }
}

/** Cumulative, as Prometheus wants it; the last bucket's bound is Infinity. */
export interface HistogramBucket {
  readonly leMs: number
  readonly count: number
}

const persistent: readonly StateName[] = ['disabled', 'failed', 'stopped']

/** From each state, where a plugin may go next. */
const next: Readonly<Record<StateName, readonly StateName[]>> = {
  discovered: ['checked', 'disabled', 'failed'],
  checked: ['blocked', 'resolved', 'disabled', 'failed'],
  blocked: ['discovered', 'resolved', ...persistent],
  resolved: ['idle', 'failed', 'quarantined'],
  idle: ['discovered', 'starting', ...persistent],
  starting: ['active', 'failed', 'quarantined'],
  active: ['active', 'draining', 'stopped', 'failed', 'quarantined'],
  draining: ['discovered', ...persistent],
  stopped: ['discovered', 'starting', ...persistent],
  disabled: ['discovered', 'disabled', 'stopped'],
  failed: ['discovered', 'starting', ...persistent],
  quarantined: ['discovered', 'starting', ...persistent],
}

/** Whether a plugin may go from one state to another; `undefined` is a plugin that was not there before. */
export function isLegalTransition(from: StateName | undefined, to: StateName): boolean {
  return from === undefined ? to === 'discovered' : next[from].includes(to)
}
