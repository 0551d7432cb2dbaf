import type { Supervision } from '../supervision.ts'

/** What follows from a trouble: it may be started at once · not before {@link Troubles.retryAtMs} · not by itself at all. */
export type TroubleVerdict = 'again' | 'wait' | 'quarantine'

/** What {@link Troubles.note} is told. */
export interface Trouble {
  readonly nowMs: number
  /** Whether code of the plugin ended unexpectedly; else it only could not be started. */
  readonly isCrash: boolean
  /** Crashes within the window that are a loop. */
  readonly crashes: number
  /** Between 0 and 1. */
  readonly random: number
}

/**
 * The unexpected ends and failed starts of one plugin, and how long to leave it alone after them. The first end after a
 * healthy time is answered with a start at once; from then on the wait is anything up to a ceiling that doubles, so that
 * plugins that broke together do not come back together.
 */
export class Troubles {
  /** Before this no call starts it. */
  retryAtMs = 0
  #inARow = 0
  #newestAtMs = -Infinity
  #crashesAtMs: readonly number[] = []

  note({ nowMs, isCrash, crashes, random }: Trouble, by: Supervision): TroubleVerdict {
    if (nowMs - this.#newestAtMs >= by.healthyMs) this.#inARow = 0
    this.#newestAtMs = nowMs
    const isFirst = this.#inARow === 0
    const doublings = isCrash ? this.#inARow - 1 : this.#inARow
    this.#inARow += 1
    if (isCrash) {
      this.#crashesAtMs = [...this.#crashesAtMs.filter((atMs) => atMs > nowMs - by.crashWindowMs), nowMs].slice(-crashes)
      if (this.#crashesAtMs.length >= crashes) return 'quarantine'
    }
    const ceilingMs = isFirst && isCrash ? 0 : Math.min(by.longestWaitMs, by.firstWaitMs * 2 ** doublings)
    this.retryAtMs = nowMs + Math.round(ceilingMs * random)
    return isFirst && isCrash ? 'again' : 'wait'
  }
}
