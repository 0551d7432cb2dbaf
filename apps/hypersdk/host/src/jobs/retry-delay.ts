const longestMs = 3_600_000

/** How long a job waits for its next try, ms: `firstMs`, doubled for each earlier retry, up to an hour or `firstMs` itself. */
export function retryDelayMs(firstMs: number, retries: number): number {
  return Math.min(firstMs * 2 ** retries, Math.max(firstMs, longestMs))
}
