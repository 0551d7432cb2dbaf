/** Waits for all of them, or until the signal aborts. */
export async function settledBefore(promises: readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  if (signal.aborted || promises.length === 0) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = (): void => resolve()
  signal.addEventListener('abort', stop, { once: true })
  await Promise.race([Promise.all(promises), promise])
  signal.removeEventListener('abort', stop)
}
