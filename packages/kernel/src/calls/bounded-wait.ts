import { abortError } from './active-call.ts'
import type { Clock } from '../ports.ts'

/** What ends a wait before what is waited for. */
export interface WaitLimits {
  readonly signal?: AbortSignal | undefined
  /** After `ms` the wait rejects with `error`. */
  readonly deadline?: { readonly clock: Clock; readonly ms: number; readonly error: () => Error } | undefined
}

/** Waits for work, but not beyond its limits; the work itself goes on and its outcome is then nobody's business. */
export function boundedWait<T>(work: PromiseLike<T>, { signal, deadline }: WaitLimits): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      if (signal !== undefined) reject(abortError(signal))
    }
    const timer = deadline?.clock.after(deadline.ms, () => reject(deadline.error()))
    const over = (): void => {
      timer?.[Symbol.dispose]()
      signal?.removeEventListener('abort', aborted)
    }
    if (signal?.aborted === true) aborted()
    signal?.addEventListener('abort', aborted, { once: true })
    void Promise.resolve(work).then(resolve, reject).finally(over)
  })
}
