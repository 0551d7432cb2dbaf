import type { Limits, NetworkUse, TakenAction, Usage, Violation } from './containment.ts'

/*
 * How a kernel watches over what runs: every threshold and every wait of it, and the groups plugins share limits in. All
 * of it is data and faces; supervise.ts acts on it.
 */

/** Every threshold of watching over plugins. Times are ms. Source: the defaults per trust level of the threat model. */
export interface Supervision {
  /** Between two looks at the health of a running plugin. Default 10 000; 0 turns it off. */
  readonly healthMs: number
  /** For the answer to one ping, or of the plugin's own health check. Default 2 000. */
  readonly answerMs: number
  /** Looks in a row without a good answer after which a generation is ended. Default 3. */
  readonly unhealthyAfter: number
  /** Between two samples of what a running plugin uses; in between it is asked once whether it answers. Default 1 000; 0 turns it off. */
  readonly usageMs: number
  /** How long a plugin may go on with a call after the call's deadline before it counts as ignored. Default 1 000. */
  readonly ignoredMs: number
  /** Calls that go on like that at once after which the generation is ended. Default 8. */
  readonly ignoredCalls: number
  /** The longest wait before the second start in a row; each further one doubles it. Default 500. */
  readonly firstWaitMs: number
  /** The longest of these waits. Default 60 000. */
  readonly longestWaitMs: number
  /** Without trouble for so long, a plugin starts from the first wait again. Default 600 000. */
  readonly healthyMs: number
  /** Unexpected ends within this time are a crash loop. Default 60 000. */
  readonly crashWindowMs: number
  /** So many are. Default 5; 3 for `community` code. */
  readonly crashes: number | undefined
  /** Failures in a row after which a provider is not asked for a while. Default 5. */
  readonly breakerFailures: number
  /** Of the newest 20 calls, this part of failures does the same. Default 0.5. */
  readonly breakerRatio: number
  /** How long it is not asked before one call tries it. Default 5 000. */
  readonly breakerOpenMs: number
}

/** Thresholds of a kernel when the host states none. */
export const defaultSupervision: Supervision = Object.freeze({
  healthMs: 10_000,
  answerMs: 2_000,
  unhealthyAfter: 3,
  usageMs: 1_000,
  ignoredMs: 1_000,
  ignoredCalls: 8,
  firstWaitMs: 500,
  longestWaitMs: 60_000,
  healthyMs: 600_000,
  crashWindowMs: 60_000,
  crashes: undefined,
  breakerFailures: 5,
  breakerRatio: 0.5,
  breakerOpenMs: 5_000,
})

/** A violation as it is told to the host: who, what, how often since the last time it was told, and what was done. */
export interface ReportedViolation {
  readonly plugin: string
  readonly generation: number
  readonly violation: Violation
  /** How many equal ones this stands for: at most one a second is told. */
  readonly count: number
  /** What was really done; undefined for a permission that was refused, which is all there is to do. */
  readonly action: TakenAction | undefined
}

/** What one plugin used when it was last asked, and how much of a processor since the time before. */
export interface UsageSample extends Usage {
  readonly atMs: number
  /** Of one processor; undefined before the second sample. */
  readonly cpuPercent: number | undefined
}

/** For how long an event loop stood still, and when that was seen. */
export interface StallMark {
  readonly ms: number
  readonly atMs: number
}

/**
 * What all generations of a plugin used together since the host started, as far as they were asked: what one used after it
 * was last asked is not in it. It never shrinks. What a tier cannot tell is left out.
 */
export interface SpentUsage {
  readonly cpuMs?: number
  readonly network?: Omit<NetworkUse, 'open'>
}

/** Ceilings a group of plugins shares. What is left out is not limited. Source: seed 002 "Resource Limits". */
export interface NamespaceLimits {
  /** Of all its plugins' processes together. */
  readonly memoryMiB?: number
  /** Of one processor, all its plugins together. */
  readonly cpuPercent?: number
  readonly processes?: number
  readonly openFiles?: number
  /** Calls at once, and what {@link Namespace.check} lets through, together. */
  readonly concurrency?: number
  /** Longest call of each of its plugins, ms. */
  readonly callMs?: number
}

/** A named group of plugins with shared limits, as the host states it. */
export interface NamespaceSettings {
  /** Ids, `publisher/*` or `*`. Of two groups that name a plugin the first has it. */
  readonly plugins: readonly string[]
  readonly limits: NamespaceLimits
}

/** What a group may be asked for ahead of using it. */
export type Resource = keyof Omit<NamespaceLimits, 'callMs'>

/** What a group uses now: of `memoryMiB`, `cpuPercent`, `processes` and `openFiles`, what the newest samples say and what is held. */
export type NamespaceUse = Readonly<Record<Resource, number>>

/** Something a group has promised; dispose it to give it back. Source: seed 002 "Resource Isolation", `ResourceGuard`. */
export interface ResourceGuard extends Disposable {
  readonly resource: Resource
  readonly amount: number
  /** The same as disposing. Idempotent. */
  readonly release: () => void
}

/** One group of plugins. */
export interface Namespace {
  readonly name: string
  readonly limits: NamespaceLimits
  /** Ids of the plugins there are now, sorted. */
  readonly members: readonly string[]
  readonly used: NamespaceUse
  /**
   * Takes `amount` (default 1) of a resource for work that a host does on behalf of the group. Errors:
   * `NAMESPACE_LIMIT` when the group would be over its limit; a `RangeError` for what is no amount.
   */
  readonly check: (resource: Resource, amount?: number) => ResourceGuard
}

/** The groups of a kernel. A plugin that no group names is in `default`. */
export interface NamespaceDirectory {
  /** Errors: `NAMESPACE_UNKNOWN` with the nearest name. */
  readonly get: (name: string) => Namespace
  /** In the order the host gave them, `default` last. */
  readonly list: () => readonly Namespace[]
}

/** Limits that a call runs into, and that are kept by refusing it. */
export type RefusedLimit = 'concurrency' | 'message' | 'state' | 'time'

/** Which limits of a plugin come from where it is: its group's ceiling of one call is its own. */
export function withinNamespace(limits: Limits, { callMs }: NamespaceLimits): Limits {
  return callMs === undefined || callMs >= limits.timeoutMs ? limits : { ...limits, timeoutMs: callMs }
}
