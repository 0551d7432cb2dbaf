/** One thing to undo. */
export type Cleanup = () => unknown

/**
 * Runs cleanups last registered first within `budgetMs` in all. Each gets an even share of what is left, so one that
 * hangs cannot keep the others from running. Answers what failed or took too long; never rejects.
 */
export async function runCleanups(cleanups: readonly Cleanup[], budgetMs: number): Promise<readonly Error[]> {
  const endsAtMs = performance.now() + budgetMs
  const failures: Error[] = []
  for (const [index, cleanup] of cleanups.toReversed().entries()) {
    const shareMs = Math.max(0, endsAtMs - performance.now()) / (cleanups.length - index)
    try {
      await within(shareMs, cleanup)
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return failures
}

async function within(ms: number, cleanup: Cleanup): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`a cleanup took longer than ${Math.round(ms)} ms`)), ms)
  try {
    await Promise.race([cleanup(), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
