const longestTimerMs = 2 ** 31 - 1

/**
 * One timer for all deadlines: it is armed for the earliest, and when it fires `expire` ends what is overdue and answers
 * the next moment. Calls that end in time cost nothing.
 */
export class DeadlineTimer {
  readonly #expire: () => number | undefined
  #timer: NodeJS.Timeout | undefined
  #armedAtMs = Number.POSITIVE_INFINITY

  constructor(expire: () => number | undefined) {
    this.#expire = expire
  }

  /** `atMs`: since the epoch. */
  arm(atMs: number): void {
    if (atMs >= this.#armedAtMs) return
    clearTimeout(this.#timer)
    this.#armedAtMs = atMs
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(atMs - Date.now(), 0), longestTimerMs))
    // A deadline nobody else waits for must not keep the process alive; the channel does that.
    this.#timer.unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#armedAtMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#armedAtMs = Number.POSITIVE_INFINITY
    const next = this.#expire()
    if (next !== undefined) this.arm(next)
  }
}
