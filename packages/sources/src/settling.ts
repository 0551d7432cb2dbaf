/** The state of a place that does not exist. */
export const gone = 'gone'

/** When one look at a place began and ended, ms since the epoch. */
export interface LookTime {
  readonly fromMs: number
  readonly untilMs: number
}

interface Watched {
  readonly state: string
  readonly sinceMs: number
  readonly firstMs: number
}

/**
 * Tells what has come to rest: a state counts when two looks at least `settleMs` apart saw the same. So a package is
 * never taken half-copied, half-replaced or half-removed, however slowly it is written.
 */
export class Settling {
  readonly settleMs: number
  readonly #watched = new Map<string, Watched>()

  constructor(settleMs: number) {
    this.settleMs = settleMs
  }

  /** Places that are changing or were seen to change only once. */
  get paths(): readonly string[] {
    return [...this.#watched.keys()]
  }

  get isAtRest(): boolean {
    return this.#watched.size === 0
  }

  /** Whether `state` has now come to rest; the place is forgotten then. */
  observe(path: string, state: string, time: LookTime): boolean {
    const known = this.#watched.get(path)
    if (known?.state !== state) {
      this.#watched.set(path, { state, sinceMs: time.untilMs, firstMs: known?.firstMs ?? time.fromMs })
      return false
    }
    if (time.fromMs - known.sinceMs < this.settleMs) return false
    return this.#watched.delete(path)
  }

  /** The place is as it was before it began to change. */
  forget(path: string): void {
    this.#watched.delete(path)
  }

  /** How long a place has been changing, ms. */
  changingMs(path: string, nowMs: number): number {
    return nowMs - (this.#watched.get(path)?.firstMs ?? nowMs)
  }
}
