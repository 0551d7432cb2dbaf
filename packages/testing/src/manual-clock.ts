import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@backplane/kernel'

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** Timers not yet fired. */
  readonly pending: number
  /** Settles when a timer is pending: what is being tested has come to a wait. */
  readonly waiting: () => Promise<void>
  /** Moves on by `ms`, firing what falls due in order, each with the time it is due at. */
  readonly pass: (ms: number) => Promise<void>
}

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** A clock at `startMs` (default: the start of 2026), in the test's hands. */
export function manualClock(startMs: number = Date.UTC(2026, 0)): ManualClock {
  const timers = new Set<Timer>()
  let nowMs = startMs
  let wake = Promise.withResolvers<void>()

  const after = (ms: number, run: () => void): Disposable => {
    const timer = { atMs: nowMs + Math.max(ms, 0), run }
    timers.add(timer)
    wake.resolve()
    return { [Symbol.dispose]: () => void timers.delete(timer) }
  }
  const waiting = async (): Promise<void> => {
    while (timers.size === 0) {
      wake = Promise.withResolvers()
      await wake.promise
    }
  }
  const pass = async (ms: number): Promise<void> => {
    const untilMs = nowMs + ms
    for (let timer = earliest(timers, untilMs); timer !== undefined; timer = earliest(timers, untilMs)) {
      timers.delete(timer)
      nowMs = Math.max(nowMs, timer.atMs)
      timer.run()
      await setImmediate()
    }
    nowMs = untilMs
  }
  return {
    now: () => nowMs,
    after,
    waiting,
    pass,
    get pending() {
      return timers.size
    },
  }
}

function earliest(timers: ReadonlySet<Timer>, untilMs: number): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) if (timer.atMs <= untilMs && (first === undefined || timer.atMs < first.atMs)) first = timer
  return first
}
