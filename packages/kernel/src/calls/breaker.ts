import type { BreakerState } from '../record.ts'
import type { Supervision } from '../supervision.ts'

/** Newest calls that a part of failures is counted of. */
const remembered = 20
const window = 2 ** remembered - 1

/** What letting a call through, or its end, changed. */
export type BreakerChange = BreakerState | undefined

/**
 * Whether one provider or handler is asked. After too many failures it is not, for a while; then one call tries it, and by
 * how that ends it is asked again or left alone once more. Time comes from outside; nothing here waits.
 */
export class Breaker {
  state: BreakerState = 'closed'
  /** In a row. */
  failures = 0
  /** When one call may try it, ms since the epoch. */
  retryAtMs = 0
  readonly #by: Supervision
  /** One bit a call, the newest last; a set bit is a failure. */
  #history = 0
  #calls = 0
  /** The call that tries it. */
  #trying: object | undefined

  constructor(by: Supervision) {
    this.#by = by
  }

  /** Whether nothing is left to remember. */
  get isClean(): boolean {
    return this.state === 'closed' && this.#history === 0
  }

  /** Whether a call may go through now. The one that tries it may ask again. */
  admits(nowMs: number, call: object): boolean {
    if (this.state === 'closed' || this.#trying === call) return true
    if (this.#trying !== undefined || nowMs < this.retryAtMs) return false
    this.state = 'half-open'
    this.#trying = call
    return true
  }

  succeeded(): BreakerChange {
    this.failures = 0
    this.#push(0)
    if (this.state !== 'half-open') return undefined
    this.#trying = undefined
    this.#history = 0
    this.state = 'closed'
    return 'closed'
  }

  failed(nowMs: number): BreakerChange {
    this.failures += 1
    this.#push(1)
    if (this.state === 'open' || (this.state === 'closed' && !this.#isTooMuch())) return undefined
    this.#trying = undefined
    this.state = 'open'
    this.retryAtMs = nowMs + this.#by.breakerOpenMs
    return 'open'
  }

  /** A call said nothing: it was cancelled, or never got there. If it was the one that tried it, the next one may. */
  undecided(call: object): void {
    if (this.#trying === call) this.#trying = undefined
  }

  #push(bit: number): void {
    this.#history = ((this.#history << 1) | bit) & window
    this.#calls = Math.min(remembered, this.#calls + 1)
  }

  #isTooMuch(): boolean {
    if (this.failures >= this.#by.breakerFailures) return true
    if (this.#calls < remembered) return false
    let set = 0
    for (let bits = this.#history; bits !== 0; bits &= bits - 1) set += 1
    return set >= remembered * this.#by.breakerRatio
  }
}
