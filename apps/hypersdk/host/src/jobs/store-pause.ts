/** For how long nothing starts after the store could not be written, ms. */
const defaultPauseMs = 5_000

/** Whether the store can be written, as far as is known: after a failure nothing starts for a while, then one job at a time. */
export class StorePause {
  readonly #pauseMs: number
  #untilMs = 0

  constructor(pauseMs: number = defaultPauseMs) {
    this.#pauseMs = pauseMs
  }

  /** The last change could not be written down. */
  get isDoubtful(): boolean {
    return this.#untilMs > 0
  }

  /** How long nothing may start yet, ms. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs)
  }

  failed(): void {
    this.#untilMs = Date.now() + this.#pauseMs
  }

  worked(): void {
    this.#untilMs = 0
  }
}
