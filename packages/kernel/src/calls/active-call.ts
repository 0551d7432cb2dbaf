import { randomUUID } from 'node:crypto'
import type { CallOptions, Progress, ServedBy } from '@backplane/sdk'
import { outputInvalid } from './call-error.ts'
import { CallCounters } from './counters.ts'
import { kernelErrors } from '../errors.ts'
import type { Generation } from '../plugins/generation.ts'
import type { InFlight } from './in-flight.ts'
import type { Plugin } from '../plugins/plugin.ts'
import type { UseTally } from '../plugins/use-tally.ts'
import type { Route } from '../points/point-table.ts'
import type { CallContext, Cancellation, CancellationListener, Target } from '../ports.ts'
import { asError, messageOf } from './thrown.ts'

/** A plugin that calls another: one generation of it. */
export interface CallingPlugin {
  readonly id: string
  readonly version: string
  readonly generation: number
  /** Permissions of the host's own that it was granted. */
  readonly may: readonly string[]
  /** Told of those that a call took. */
  readonly uses: Pick<UseTally, 'host'>
  /** Aborted when nothing of it is to run any more. */
  readonly ended: AbortSignal
}

/** What goes with one call through the dispatcher: a caller's options, and what only the kernel may say. */
export interface CallRequest extends CallOptions {
  /** Absent for the host's own calls. */
  readonly caller?: CallingPlugin
  /** Milliseconds since the epoch; the smaller of this and `deadlineMs` counts. */
  readonly deadlineAtMs?: number | undefined
}

/** What is called, and how. */
export interface CallSubject {
  readonly plugin: Plugin
  readonly route: Route
  readonly target: Target
  readonly input: unknown
  /** For a route without a time limit of its own, ms. */
  readonly timeoutMs: number
}

/**
 * One call in flight, and the context its runtime is given. It ends exactly once: by its answer, its error, its caller,
 * its deadline or the end of its generation; whichever comes first counts and the rest is ignored. Signal and trace id
 * are made when somebody asks for them.
 */
export abstract class ActiveCall implements CallContext, Cancellation {
  readonly plugin: Plugin
  readonly route: Route
  readonly target: Target
  readonly input: unknown
  readonly counters: CallCounters
  readonly caller: string
  readonly deadlineAtMs: number
  readonly onProgress: ((progress: Progress) => void) | undefined
  /** By the process's own clock, ms. */
  readonly startedMs: number = performance.now()
  generation: Generation | undefined
  settled = false
  /** Its time says more of the start than of the plugin. */
  waitedForStart = false
  /** Whether the plugin is at work on it, which it may be after the call has ended. */
  isAtPlugin = false
  /** Neighbours in the list of calls in flight; the list's own. */
  previous: ActiveCall | undefined
  next: ActiveCall | undefined
  readonly #inFlight: InFlight
  readonly #request: CallRequest
  /** Whether the deadline is the caller's, not the plugin's. */
  readonly isCallersLimit: boolean
  /** What the deadline is, counted from the beginning. */
  readonly limitMs: number
  #traceId: string | undefined
  #controller: AbortController | undefined
  #abortedBy: Error | undefined
  #stopListening: (() => void) | undefined
  #endListener: CancellationListener | undefined

  constructor(subject: CallSubject, request: CallRequest, inFlight: InFlight) {
    const { plugin, route } = subject
    this.plugin = plugin
    this.route = route
    this.target = subject.target
    this.input = subject.input
    this.counters = plugin.counters ??= new CallCounters()
    this.caller = request.caller?.id ?? 'host'
    this.#traceId = request.traceId
    this.#request = request
    this.#inFlight = inFlight
    this.onProgress = request.onProgress === undefined ? undefined : (progress) => this.#report(progress)
    const nowMs = inFlight.clock.now()
    const limitMs = route.timeoutMs ?? subject.timeoutMs
    const callerMs = Math.min(request.deadlineMs ?? Infinity, (request.deadlineAtMs ?? Infinity) - nowMs)
    this.isCallersLimit = callerMs < limitMs
    this.limitMs = this.isCallersLimit ? callerMs : limitMs
    this.deadlineAtMs = nowMs + this.limitMs
    inFlight.add(this)
    if (request.signal !== undefined) this.#listenTo(request.signal)
  }

  /** Called with a slot in `generation`. */
  abstract run(generation: Generation): void
  /** Tells the caller; called at most once, after {@link settle}. */
  protected abstract refuse(error: Error): void

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#abortedBy !== undefined) this.#controller.abort(this.#abortedBy)
    return this.#controller.signal
  }

  get cancellation(): Cancellation {
    return this
  }

  get aborted(): boolean {
    return this.#abortedBy !== undefined
  }

  get reason(): unknown {
    return this.#abortedBy
  }

  addEventListener(_type: 'abort', listener: CancellationListener): void {
    this.#endListener = listener
  }

  removeEventListener(_type: 'abort', listener: CancellationListener): void {
    if (this.#endListener === listener) this.#endListener = undefined
  }

  get traceId(): string {
    return (this.#traceId ??= randomUUID().replaceAll('-', ''))
  }

  /**
   * Ends the call with an error: what the plugin threw, late, drained, process gone; cancelled is the only one that is
   * nobody's fault.
   */
  abort(error: Error, signalReason: Error = error, isFault = true): void {
    if (!this.settle(isFault)) return
    if (isFault) this.#inFlight.watcher?.failed(this, error)
    else this.plugin.breakers?.undecided(this)
    this.#inFlight.ended?.(this, error)
    this.cancelSignal(signalReason)
    this.refuse(error)
  }

  /** Ends the call with its answer. Answers false when it had ended before. */
  protected succeed(): boolean {
    if (!this.settle(false)) return false
    this.plugin.breakers?.succeeded(this)
    this.#inFlight.ended?.(this)
    if (this.#request.onServed !== undefined) this.#tellServed(this.#request.onServed)
    return true
  }

  /** Tells the plugin that nobody waits any more. */
  protected cancelSignal(reason: Error): void {
    this.#abortedBy = reason
    this.#controller?.abort(reason)
    this.#endListener?.handleEvent()
  }

  /** Called by the list when the deadline has passed. */
  expire(): void {
    const { plugin, route } = this
    const own = route.timeoutMs === undefined ? `limits.timeoutMs of ${plugin.id}` : `the timeout of ${route.label}`
    const limit = this.isCallersLimit ? "the caller's deadline" : own
    const details = { limit, deadlineMs: this.limitMs }
    const parameters = { plugin: plugin.id, point: route.point, method: route.method, ...details }
    const error = kernelErrors.error('CALL_DEADLINE', parameters, { plugin: plugin.id, point: route.point, details })
    this.abort(error, new DOMException(error.message, 'TimeoutError'))
    this.#inFlight.watcher?.expired(this, error)
  }

  /** The answer as the output schema leaves it; one that does not fit ends the call and is undefined. */
  protected accept(answer: unknown): { readonly value: unknown } | undefined {
    try {
      const checked = this.route.output(answer)
      if (checked.issues === undefined) return checked
      this.abort(outputInvalid(this.plugin, this.route, checked.issues))
    } catch (error) {
      this.abort(asError(error))
    }
    return undefined
  }

  /** Ends the accounting. Answers false when the call had ended before. */
  protected settle(failed: boolean): boolean {
    if (this.settled) return false
    this.settled = true
    this.#inFlight.remove(this)
    this.#stopListening?.()
    const bucket = this.counters.ended(performance.now() - this.startedMs, failed)
    const { generation } = this
    if (generation === undefined) return true
    generation.drop(this)
    if (generation.retiredAtMs === undefined) {
      const isTimed = this.route.kind !== 'stream' && !this.waitedForStart
      generation.conduct.ended(isTimed ? bucket : undefined, failed)
    }
    return true
  }

  #listenTo(signal: AbortSignal): void {
    const cancelled = (): void => {
      const reason = abortError(signal)
      this.abort(reason, reason, false)
    }
    signal.addEventListener('abort', cancelled, { once: true })
    this.#stopListening = () => signal.removeEventListener('abort', cancelled)
  }

  #tellServed(tell: (by: ServedBy) => void): void {
    const { generation, plugin, target } = this
    if (generation === undefined) return
    const { number, candidate } = generation
    try {
      tell({ plugin: plugin.id, version: candidate.version, generation: number, name: target.name })
    } catch (error) {
      this.#inFlight.log.write({ level: 'error', message: `onServed threw: ${messageOf(error)}`, plugin: plugin.id })
    }
  }

  /** What a plugin reports is passed on only in its proper form, and only while the call runs. */
  #report(progress: unknown): void {
    if (this.settled || typeof progress !== 'object' || progress === null) return
    const { done, total, phase } = progress as Record<string, unknown>
    if (typeof done !== 'number' || !(done >= 0)) return
    try {
      this.#request.onProgress?.({
        done,
        ...(typeof total === 'number' && total >= 0 ? { total } : {}),
        ...(typeof phase === 'string' ? { phase: phase.slice(0, 200) } : {}),
      })
    } catch (error) {
      this.#inFlight.log.write({
        level: 'error',
        message: `a progress listener threw: ${messageOf(error)}`,
        plugin: this.plugin.id,
      })
    }
  }
}

/** The reason a signal was aborted with, as an error. */
export function abortError(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  const text = typeof reason === 'string' ? reason : 'This operation was aborted'
  return reason instanceof Error ? reason : new DOMException(text, 'AbortError')
}
