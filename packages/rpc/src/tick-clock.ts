/**
 * The monotonic clock, read once per tick: reading it costs as much as checking a small value, and hundreds of calls are
 * made in one tick.
 */
export class TickClock {
  #nowMs: number | undefined
  readonly #forget = (): void => {
    this.#nowMs = undefined
  }

  /** Milliseconds, as `performance.now()`. */
  get nowMs(): number {
    if (this.#nowMs === undefined) {
      this.#nowMs = performance.now()
      process.nextTick(this.#forget)
    }
    return this.#nowMs
  }
}
