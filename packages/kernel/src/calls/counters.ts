import type { Counters, HistogramBucket } from '../record.ts'

const boundsMs = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, Infinity] as const

/** What one plugin did since the host started. Made at its first call: an idle plugin costs nothing. */
export class CallCounters {
  calls = 0
  errors = 0
  active = 0
  queued = 0
  #sumMs = 0
  readonly #buckets: Uint32Array = new Uint32Array(boundsMs.length)

  /** Counts one ended call. */
  ended(tookMs: number, failed: boolean): void {
    this.calls += 1
    if (failed) this.errors += 1
    this.#sumMs += tookMs
    let index = 0
    while (tookMs > (boundsMs[index] ?? Infinity)) index += 1
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1
  }

  snapshot(): Counters {
    const buckets: HistogramBucket[] = []
    let count = 0
    for (const [index, leMs] of boundsMs.entries()) {
      count += this.#buckets[index] ?? 0
      buckets.push({ leMs, count })
    }
    return {
      calls: this.calls,
      errors: this.errors,
      active: this.active,
      queued: this.queued,
      latency: { count, sumMs: this.#sumMs, p50Ms: quantile(buckets, 0.5), p99Ms: quantile(buckets, 0.99), buckets },
    }
  }
}

/** What a plugin that was never called counts. */
export const noCounters: Counters = new CallCounters().snapshot()

/** Interpolated inside the bucket it falls into; the last, open bucket answers its lower bound. */
function quantile(buckets: readonly HistogramBucket[], part: number): number {
  const total = buckets.at(-1)?.count ?? 0
  if (total === 0) return 0
  const wanted = part * total
  let lowerMs = 0
  let below = 0
  for (const { leMs, count } of buckets) {
    if (count >= wanted) return leMs === Infinity ? lowerMs : lowerMs + ((leMs - lowerMs) * (wanted - below)) / (count - below)
    lowerMs = leMs
    below = count
  }
  return lowerMs
}
