import type { ActiveCall } from './active-call.ts'
import type { Generation } from '../plugins/generation.ts'
import type { Clock, Log } from '../ports.ts'

/** Who is told of calls that end badly. */
export interface CallWatcher {
  /** By an error that is not the caller's doing. */
  readonly failed: (call: ActiveCall, error: Error) => void
  /** By its deadline; the plugin may still be at work on it. */
  readonly expired: (call: ActiveCall, error: Error) => void
}

/**
 * All calls in flight of one kernel, as a linked list through the calls themselves, so that a call costs neither a timer
 * nor a set entry. One timer stands at the earliest deadline; the list is walked only when it fires or a generation ends.
 */
export class InFlight implements Disposable {
  /** Told of calls that end badly. */
  watcher: CallWatcher | undefined
  /** Told of every call when it ends, where the host wants that; with what it ended by, if not by its answer. */
  ended: ((call: ActiveCall, error?: Error) => void) | undefined
  readonly clock: Clock
  readonly log: Log
  #newest: ActiveCall | undefined
  #timer: Disposable | undefined
  #wakeAtMs = Infinity

  constructor(clock: Clock, log: Log) {
    this.clock = clock
    this.log = log
  }

  add(call: ActiveCall): void {
    call.next = this.#newest
    if (this.#newest !== undefined) this.#newest.previous = call
    this.#newest = call
    if (call.deadlineAtMs < this.#wakeAtMs) this.#wake(call.deadlineAtMs)
  }

  remove(call: ActiveCall): void {
    if (call.previous === undefined) this.#newest = call.next
    else call.previous.next = call.next
    if (call.next !== undefined) call.next.previous = call.previous
    call.previous = undefined
    call.next = undefined
  }

  /** Ends every call of a generation; answers how many there were. */
  abort(generation: Generation, error: (call: ActiveCall) => Error): number {
    const calls = this.#all().filter((call) => call.generation === generation)
    for (const call of calls) call.abort(error(call))
    return calls.length
  }

  /** How long the calls of a generation that answer once have been running, ms. */
  agesMs(generation: Generation): readonly number[] {
    const nowMs = performance.now()
    const isTimed = (call: ActiveCall): boolean => call.route.kind !== 'stream' && !call.waitedForStart
    const calls = this.#all().filter((call) => call.generation === generation && isTimed(call))
    return calls.map(({ startedMs }) => nowMs - startedMs)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  #wake(atMs: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#wakeAtMs = atMs
    this.#timer = atMs === Infinity ? undefined : this.clock.after(Math.max(1, atMs - this.clock.now()), () => this.#expire())
  }

  #expire(): void {
    this.#wakeAtMs = Infinity
    this.#timer = undefined
    const nowMs = this.clock.now()
    for (const call of this.#all()) if (call.deadlineAtMs <= nowMs) call.expire()
    let earliestMs = Infinity
    for (let call = this.#newest; call !== undefined; call = call.next) earliestMs = Math.min(earliestMs, call.deadlineAtMs)
    if (earliestMs < this.#wakeAtMs) this.#wake(earliestMs)
  }

  /** A copy: ending a call changes the list. */
  #all(): readonly ActiveCall[] {
    const calls: ActiveCall[] = []
    for (let call = this.#newest; call !== undefined; call = call.next) calls.push(call)
    return calls
  }
}
