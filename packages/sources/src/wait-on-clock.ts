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
  using _timer = clock.after(ms, resolve)
  await promise
  signal.removeEventListener('abort', abort)
}
