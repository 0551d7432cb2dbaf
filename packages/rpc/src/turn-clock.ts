/** The time, read once a turn: reading it for each of a thousand calls costs more than sending some of them. */
export class TurnClock {
  #nowMs: number | undefined

  /** Milliseconds on the clock of `performance.now()`, as of the first question in this turn. */
  nowMs(): number {
    if (this.#nowMs === undefined) {
      this.#nowMs = performance.now()
      process.nextTick(() => {
        this.#nowMs = undefined
      })
    }
    return this.#nowMs
  }
}
