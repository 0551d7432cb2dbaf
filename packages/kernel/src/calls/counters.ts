import type { Counters, HistogramBucket } from '../record.ts'

/** Upper bounds of the latency histogram's buckets, ms. */
export const boundsMs: readonly number[] = [
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1_000,
  2_500,
  5_000,
  10_000,
  60_000,
  Infinity,
]

/** Which bucket of {@link boundsMs} a time falls into. */
export function bucketOf(tookMs: number): number {
  let index = 0
  while (tookMs > (boundsMs[index] ?? Infinity)) index += 1
  return index
}

/** What one plugin did since the host started. Made at its first call: an idle plugin costs nothing. */
export class CallCounters {
  calls = 0
  errors = 0
  active = 0
  queued = 0
  #sumMs = 0
  readonly #buckets: Uint32Array = new Uint32Array(boundsMs.length)

  /** Counts one ended call; answers the bucket its time fell into. */
  ended(tookMs: number, failed: boolean): number {
    this.calls += 1
    if (failed) this.errors += 1
    this.#sumMs += tookMs
    const bucket = bucketOf(tookMs)
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    return bucket
  }

  snapshot(): Counters {
    const buckets: HistogramBucket[] = []
    let count = 0
    for (const [index, leMs] of boundsMs.entries()) {
      count += this.#buckets[index] ?? 0
      buckets.push({ leMs, count })
    }
    const [p50Ms, p99Ms] = [quantileMs(this.#buckets, 0.5), quantileMs(this.#buckets, 0.99)]
    return {
      calls: this.calls,
      errors: this.errors,
      active: this.active,
      queued: this.queued,
      latency: { count, sumMs: this.#sumMs, p50Ms, p99Ms, buckets },
    }
  }
}

/** What a plugin that was never called counts. */
export const noCounters: Counters = new CallCounters().snapshot()

/**
 * The time that a `part` of all calls kept, of the counts by bucket: interpolated inside the bucket it falls into; the
 * last, open bucket answers its lower bound.
 */
export function quantileMs(counts: Uint32Array, part: number): number {
  let total = 0
  for (const count of counts) total += count
  const wanted = part * total
  let lowerMs = 0
  let below = 0
  if (total === 0) return 0
  for (const [index, leMs] of boundsMs.entries()) {
    const inside = counts[index] ?? 0
    if (below + inside >= wanted) return leMs === Infinity ? lowerMs : lowerMs + ((leMs - lowerMs) * (wanted - below)) / inside
    lowerMs = leMs
    below += inside
  }
  return lowerMs
}
