import type { Logger, ProviderHandle } from '@backplane/sdk'
import type { metricsService } from '@exliar-vfio/points'
import { addSample, type RunTotals } from './perf-stats.ts'
import type { RunHistory } from './run-history.ts'

/** What a {@link RunWatch} needs. */
export interface RunWatchOptions {
  readonly metrics: ProviderHandle<typeof metricsService>
  readonly history: RunHistory
  readonly intervalMs: number
  readonly log: Logger
  /** Aborted when the plugin stops. */
  readonly signal: AbortSignal
}

/** Machines watched at once; more are not. */
const mostMachines = 64
/** A machine that cannot be looked at for so long is not looked at any more, ms. */
const giveUpMs = 120_000
/** Between two writes of what was seen, ms: who asks meanwhile is another process, and sees what was written. */
const keepMs = 10_000

interface Watched {
  run: RunTotals
  readonly timer: NodeJS.Timeout
  isLooking: boolean
  seenAtMs: number
  keptAtMs: number
}

/** Looks at running machines from time to time, one look at a time for each. */
export class RunWatch implements Disposable {
  readonly #options: RunWatchOptions
  /** By uuid. */
  readonly #watched = new Map<string, Watched>()

  constructor(options: RunWatchOptions) {
    this.#options = options
  }

  /** Begins to look; what was seen of the same machine before is forgotten. Answers false when there are too many. */
  begin(run: RunTotals): boolean {
    this.end(run.uuid)
    if (this.#watched.size >= mostMachines) return false
    const timer = setInterval(() => void this.#look(run.uuid), this.#options.intervalMs)
    const nowMs = Date.now()
    this.#watched.set(run.uuid, { run, timer, isLooking: false, seenAtMs: nowMs, keptAtMs: 0 })
    return true
  }

  /** Whether it looks at a machine, or has given up to. */
  has(uuid: string): boolean {
    return this.#watched.has(uuid)
  }

  /** Ends looking and answers what was seen. */
  end(uuid: string): RunTotals | undefined {
    const watched = this.#watched.get(uuid)
    if (watched === undefined) return undefined
    clearInterval(watched.timer)
    this.#watched.delete(uuid)
    return watched.run
  }

  /** What is seen now. */
  runs(): readonly RunTotals[] {
    return [...this.#watched.values()].map(({ run }) => run)
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#watched.values()) clearInterval(timer)
    this.#watched.clear()
  }

  async #look(uuid: string): Promise<void> {
    const watched = this.#watched.get(uuid)
    if (watched === undefined || watched.isLooking) return
    const { metrics, signal, intervalMs, history, log } = this.#options
    watched.isLooking = true
    try {
      const sample = await metrics.sample({ domain: watched.run.machine }, { signal, deadlineMs: Math.min(intervalMs, 5_000) })
      const nowMs = Date.now()
      watched.run = addSample(watched.run, sample, nowMs)
      watched.seenAtMs = nowMs
      if (nowMs - watched.keptAtMs >= keepMs && this.#watched.get(uuid) === watched) {
        watched.keptAtMs = nowMs
        await history.keep(watched.run)
      }
    } catch (error) {
      // It does not run yet, or not any more.
      if (signal.aborted || Date.now() - watched.seenAtMs < giveUpMs) return
      clearInterval(watched.timer)
      log.warn('a machine cannot be looked at; its summary will hold what was seen so far', {
        machine: watched.run.machine,
        error,
      })
    } finally {
      watched.isLooking = false
    }
  }
}
