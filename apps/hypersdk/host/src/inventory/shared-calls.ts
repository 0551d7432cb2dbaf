/** Longest a round waits for the one before it: that one may hang, and what hangs must not hold up others, ms. */
const longestWaitMs = 5_000

/** Work that others may join before it begins. */
interface Round<T> {
  readonly promise: Promise<T>
  readonly gone: AbortController
  callers: number
}

interface Line {
  running: Promise<unknown> | undefined
  next: Round<unknown> | undefined
}

/**
 * Does the same work once for many who ask at the same time: who comes while it runs waits for the next round, which all
 * of those share, so nobody gets what was known before they asked. Work whose callers have all gone is aborted.
 */
export class SharedCalls {
  readonly #lines = new Map<string, Line>()
  readonly #longestWaitMs: number

  constructor({ longestWaitMs: waitMs = longestWaitMs }: { readonly longestWaitMs?: number } = {}) {
    this.#longestWaitMs = waitMs
  }

  /** The same `key` must mean the same work. Errors: those of the work; the signal's reason when this caller goes. */
  async run<T>(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    const line = this.#line(key)
    if (line.next?.gone.signal.aborted !== false) line.next = this.#round(key, line, work)
    const round = line.next as Round<T>
    const leave = (): void => {
      round.callers -= 1
      if (round.callers === 0) round.gone.abort(signal.reason)
    }
    round.callers += 1
    const left = Promise.withResolvers<never>()
    const onAbort = (): void => {
      leave()
      left.reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([round.promise, left.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #line(key: string): Line {
    const known = this.#lines.get(key) ?? { running: undefined, next: undefined }
    this.#lines.set(key, known)
    return known
  }

  #round<T>(key: string, line: Line, work: (signal: AbortSignal) => Promise<T>): Round<T> {
    const gone = new AbortController()
    const begin = async (): Promise<T> => {
      await this.#before(line)
      if (line.next === round) line.next = undefined
      const running = (async () => {
        gone.signal.throwIfAborted()
        return work(gone.signal)
      })()
      line.running = running
      try {
        return await running
      } finally {
        if (line.running === running) line.running = undefined
        if (line.running === undefined && line.next === undefined) this.#lines.delete(key)
      }
    }
    const round: Round<T> = { promise: begin(), gone, callers: 0 }
    // Whoever still waits hears of it; when all have gone nobody does.
    round.promise.catch(() => undefined)
    return round
  }

  async #before({ running }: Line): Promise<void> {
    if (running === undefined) return Promise.resolve()
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, this.#longestWaitMs)
    await Promise.race([running.catch(() => undefined), late.promise])
    clearTimeout(timer)
  }
}
