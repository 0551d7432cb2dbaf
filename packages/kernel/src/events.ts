import type { BreakerState, Failure, StateName } from './record.ts'
import type { ExitCause, LimitName, TakenAction } from './ports.ts'

/** What happened, in order, for people and programs: `/api/events`, audit, tests. The union is closed. */
export type KernelEvent =
  | {
      readonly type: 'plugin.changed'
      readonly plugin: string
      readonly version: string
      readonly from: StateName | undefined
      readonly to: StateName
      readonly generation: number
      readonly reason?: string
    }
  | { readonly type: 'plugin.removed'; readonly plugin: string; readonly version: string }
  | {
      readonly type: 'plugin.updated'
      readonly plugin: string
      readonly from: string
      readonly to: string
      readonly generation: number
    }
  | { readonly type: 'plugin.update-failed'; readonly plugin: string; readonly version: string; readonly failure: Failure }
  | { readonly type: 'plugin.proved'; readonly plugin: string; readonly version: string; readonly generation: number }
  | {
      readonly type: 'plugin.moved-back'
      readonly plugin: string
      /** Version that was worse. */
      readonly from: string
      /** Version that serves again. */
      readonly to: string
      readonly reason: Regression
      /** A sentence's part with the figures. */
      readonly evidence: string
    }
  | {
      readonly type: 'plugin.drained'
      readonly plugin: string
      readonly generation: number
      readonly aborted: number
      readonly tookMs: number
    }
  | { readonly type: 'plugin.exited'; readonly plugin: string; readonly generation: number; readonly cause: ExitCause }
  | {
      readonly type: 'limit.exceeded'
      readonly plugin: string
      readonly generation: number
      readonly limit: LimitName
      readonly detail: string
      /** How many equal ones this stands for: at most one a second is told. */
      readonly count: number
      /** What was really done. */
      readonly action: TakenAction
    }
  | {
      readonly type: 'grant.denied'
      readonly plugin: string
      readonly generation: number
      readonly permission: string
      readonly detail: string
      /** How many equal ones this stands for: at most one a second is told. */
      readonly count: number
    }
  /** The host had ended while it was starting in the host's process; it is left out until it is released or the next start. */
  | { readonly type: 'plugin.suspected'; readonly plugin: string; readonly version: string }
  | {
      readonly type: 'breaker.changed'
      readonly plugin: string
      readonly point: string
      readonly name: string
      readonly to: BreakerState
      /** In a row. */
      readonly failures: number
      /** When one call may try it, ms since the epoch; only when it opened. */
      readonly retryAtMs?: number
    }
  /** A call was not taken by the provider it was for, and went to the next one the host named. */
  | {
      readonly type: 'call.fell-back'
      readonly point: string
      readonly method: string
      readonly from: string
      readonly to: string
      /** Why the first was not asked. */
      readonly code: string
      readonly traceId?: string
    }
  | {
      readonly type: 'call.refused'
      readonly plugin: string
      readonly point: string
      readonly method: string
      readonly code: string
    }
  /** A plugin, or the host, wants to do something critical, and a person is asked. */
  | {
      readonly type: 'approval.asked'
      readonly plugin: string
      /** Names the question. */
      readonly approval: string
      readonly point: string
      readonly name: string
      readonly method: string
      /** To be read after "It wants to". */
      readonly sentence: string
      readonly traceId: string
    }
  /** What became of it: decided by a person, not decided in time, given up by who wanted it, or the desk failed. */
  | {
      readonly type: 'approval.ended'
      readonly plugin: string
      readonly approval: string
      readonly point: string
      readonly name: string
      readonly method: string
      readonly traceId: string
      readonly outcome: 'approved' | 'denied' | 'expired' | 'cancelled' | 'failed'
      readonly by?: string
      readonly reason?: string
    }
  | { readonly type: 'secret.read'; readonly plugin: string; readonly name: string; readonly found: boolean }
  | { readonly type: 'kernel.started'; readonly plugins: number; readonly failed: number; readonly tookMs: number }
  | { readonly type: 'kernel.stopping' }

/** In what a new version was worse than the one before it. */
export type Regression = 'ended' | 'unhealthy' | 'faults' | 'slow' | 'memory' | 'limit'

/** An event as recorded: `seq` grows by one per event and is what an event stream resumes from. */
export interface RecordedEvent {
  readonly seq: number
  readonly atMs: number
  readonly event: KernelEvent
}

/** The kernel's event log. The newest {@link EventLog.capacity} events are kept. */
export interface EventLog {
  /** Events kept. */
  readonly capacity: number
  /** Those with a sequence number above `seq`, oldest first; `complete` is false when some of them are no longer kept. */
  readonly since: (seq: number) => { readonly events: readonly RecordedEvent[]; readonly complete: boolean }
  /** Called for each new event, in order; dispose to stop. A listener that throws is dropped and logged. */
  readonly subscribe: (listener: (recorded: RecordedEvent) => void) => Disposable
}
