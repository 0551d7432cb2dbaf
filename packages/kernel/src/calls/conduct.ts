import { boundsMs, bucketOf, quantileMs } from './counters.ts'

/** How one generation does: what a new version is compared with the one before it by. */
export class Conduct {
  /** Calls ended, those that were cancelled too. */
  calls = 0
  /** Calls that ended by the plugin's fault. */
  faults = 0
  /** Calls whose time was counted; a stream lasts as long as its consumer likes, so it is not. */
  timed = 0
  /** Told of each fault while somebody watches. */
  faulted: (() => void) | undefined
  readonly #buckets: Uint32Array = new Uint32Array(boundsMs.length)

  /** Counts one call; `bucket` is that of its latency, undefined for what is not timed. */
  ended(bucket: number | undefined, isFault: boolean): void {
    this.calls += 1
    if (bucket !== undefined) {
      this.timed += 1
      this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    }
    if (!isFault) return
    this.faults += 1
    this.faulted?.()
  }

  /** Of 100 calls. */
  get faultPercent(): number {
    return this.calls === 0 ? 0 : (100 * this.faults) / this.calls
  }

  /** The time that 99 of 100 calls keep; `running` are ages of calls that have not ended, ms. */
  p99Ms(running: readonly number[] = []): number {
    const counts = Uint32Array.from(this.#buckets)
    for (const ageMs of running) {
      const bucket = bucketOf(ageMs)
      counts[bucket] = (counts[bucket] ?? 0) + 1
    }
    return quantileMs(counts, 0.99)
  }
}
