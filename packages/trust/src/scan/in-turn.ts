/**
 * Makes a queue for one thing at a time, in the order they were asked for. Whoever leaves hears it at once, also while others are
 * before them; what was begun for them is ended by the same signal, and the next begins when it has ended.
 */
export function inTurn(): <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T> {
  let turn: Promise<unknown> = Promise.resolve()
  return (work, signal) => {
    const done = turn.then(() => {
      signal.throwIfAborted()
      return work()
    })
    turn = done.catch(() => undefined)
    return untilAborted(done, signal)
  }
}

/** Waits no longer than the signal; how the work ends is its own business then. Rejects with the signal's reason. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined)
  const left = Promise.withResolvers<never>()
  const aborted = (): void => left.reject(signal.reason)
  signal.addEventListener('abort', aborted, { once: true })
  if (signal.aborted) aborted()
  try {
    return await Promise.race([work, left.promise])
  } finally {
    signal.removeEventListener('abort', aborted)
  }
}
