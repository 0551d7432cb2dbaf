import type { Daemon } from './start-daemon.ts'

/** What an orderly end may still take once the time for running exports is over, ms. */
const graceMs = 3_000

/**
 * Stops a daemon. Running exports have its drain time, or until `hurry` aborts; then it has a few seconds left, whatever
 * plugins do: those that still run are named in the log, its jobs are left for the next start and the process ends with 0.
 * Plugin processes end with it, the system sees to that.
 */
export async function stopDaemon(daemon: Daemon, hurry: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const endWithin = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      daemon.leave()
      process.exit(0)
    }, ms)
  }
  const hasten = (): void => endWithin(graceMs)
  if (hurry.aborted) hasten()
  else endWithin(daemon.drainMs + graceMs)
  hurry.addEventListener('abort', hasten)
  try {
    await daemon.stop(hurry)
  } finally {
    clearTimeout(timer)
    hurry.removeEventListener('abort', hasten)
  }
}
