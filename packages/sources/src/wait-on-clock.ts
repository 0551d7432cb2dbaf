import type { Clock } from '@backplane/kernel'

/** Something that ends a wait early, such as a hint. */
export interface Wake {
  /** Calls `wake` at most once; dispose when nobody waits any more. */
  readonly once: (wake: () => void) => Disposable
}

/** Settles once the clock has advanced by `ms`, `early` wakes it, or the signal is aborted; never rejects. */
export async function waitOnClock(clock: Clock, ms: number, signal: AbortSignal, early?: Wake): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const abort = (): void => resolve()
  signal.addEventListener('abort', abort)
  using _early = early?.once(resolve)
  using _timer = timerUntil(clock, clock.now() + ms, resolve)
  await promise
  signal.removeEventListener('abort', abort)
}

/** The system's timers may fire a millisecond before the system's clock has got there. */
function timerUntil(clock: Clock, untilMs: number, run: () => void): Disposable {
  const start = (): Disposable => clock.after(untilMs - clock.now(), fired)
  const fired = (): void => {
    if (clock.now() >= untilMs) run()
    else timer = start()
  }
  let timer = start()
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}
