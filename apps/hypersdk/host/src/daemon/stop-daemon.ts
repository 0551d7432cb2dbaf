import type { Daemon } from './start-daemon.ts'

/** What an orderly end may still take once the user hurries, ms. */
const graceMs = 3_000

/**
 * Stops a daemon. Once `hurry` aborts it has a few seconds left, whatever plugins do; then its jobs are left for the next
 * start and the process ends with 0. Plugin processes end with it, the system sees to that.
 */
export async function stopDaemon(daemon: Daemon, hurry: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    timer = setTimeout(() => {
      daemon.leave()
      process.exit(0)
    }, graceMs)
  }
  if (hurry.aborted) begin()
  hurry.addEventListener('abort', begin)
  try {
    await daemon.stop(hurry)
  } finally {
    clearTimeout(timer)
    hurry.removeEventListener('abort', begin)
  }
}
