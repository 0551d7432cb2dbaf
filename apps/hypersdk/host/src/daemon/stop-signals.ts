/** What the user asked of the daemon by signals. */
export interface StopSignals {
  /** Settles at the first. */
  readonly stop: Promise<void>
  /** Aborted at the second. */
  readonly hurry: AbortSignal
}

/** npm passes on a Ctrl-C that the terminal has sent already; the same signal again so soon is an echo, ms. */
const echoMs = 500

/** Listens for the signals from now on; `asked` is told of each that counts. */
export function stopSignals(
  signals: readonly NodeJS.Signals[],
  asked: (signal: NodeJS.Signals, again: boolean) => void,
): StopSignals {
  const stop = Promise.withResolvers<void>()
  const hurry = new AbortController()
  let last: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined
  const ask = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now()
    if (last?.signal === signal && nowMs - last.atMs < echoMs) return
    const again = last !== undefined
    last = { signal, atMs: nowMs }
    asked(signal, again)
    if (again) hurry.abort()
    stop.resolve()
  }
  for (const signal of signals) process.on(signal, ask)
  return { stop: stop.promise, hurry: hurry.signal }
}
