/** A budget that refills with time: so many at once, so many a second. For whoever has to bound what another side sends. */
export class RateGate {
  readonly #perSecond: number
  readonly #burst: number
  #left: number
  #atMs: number = performance.now()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#left = burst
  }

  /** Takes `amount` if there is budget for one at least; a larger one may overdraw it. */
  take(amount: number): boolean {
    this.#refill()
    if (this.#left < 1) return false
    this.#left -= amount
    return true
  }

  /** How long until there is budget again, ms; 0 when there is. */
  waitMs(): number {
    this.#refill()
    return this.#left >= 1 ? 0 : Math.ceil(((1 - this.#left) / this.#perSecond) * 1_000)
  }

  #refill(): void {
    const nowMs = performance.now()
    this.#left = Math.min(this.#burst, this.#left + ((nowMs - this.#atMs) / 1_000) * this.#perSecond)
    this.#atMs = nowMs
  }
}
