import type { State } from '@backplane/sdk'
import type { RunSummary, RunTotals } from './perf-stats.ts'

/** A run whose newest sample is older than this has ended without anybody being told, ms. */
const staleMs = 5 * 60_000

/**
 * Runs in the plugin's own store: past ones under `run/`, those of now under `now/`. So a panel or a command shows them that
 * runs in another process than the one that watches.
 */
export class RunHistory {
  readonly #state: State
  readonly #keepRuns: number

  constructor(state: State, keepRuns: number) {
    this.#state = state
    this.#keepRuns = keepRuns
  }

  /** Keeps a run that has ended, and forgets the oldest beyond the limit. */
  async add(run: RunSummary): Promise<void> {
    await this.#state.set(`run/${run.vm_end_time.slice(0, 40)}/${short(run.uuid)}`, run)
    await this.#state.delete(nowKey(run.uuid))
    const keys = await this.#state.keys('run/')
    for (const key of keys.slice(0, Math.max(0, keys.length - this.#keepRuns))) await this.#state.delete(key)
  }

  /** Past runs, newest first. */
  async runs(): Promise<RunSummary[]> {
    return (await this.#all('run/')).toReversed() as RunSummary[]
  }

  /** What is kept of a run that goes on. */
  async keep(run: RunTotals): Promise<void> {
    await this.#state.set(nowKey(run.uuid), run)
  }

  /** What was kept of a run, for when whoever watched it is gone. */
  async kept(uuid: string): Promise<RunTotals | undefined> {
    return (await this.#state.get(nowKey(uuid))) as RunTotals | undefined
  }

  /** Runs that go on, by name. */
  async running(nowMs: number): Promise<RunTotals[]> {
    const kept = (await this.#all('now/')) as RunTotals[]
    const isFresh = ({ sampled_at: at, vm_start_time: start }: RunTotals): boolean => nowMs - Date.parse(at ?? start) < staleMs
    return kept.filter(isFresh).sort((a, b) => (a.machine < b.machine ? -1 : 1))
  }

  /** Forgets past runs. */
  async clear(): Promise<void> {
    for (const key of await this.#state.keys('run/')) await this.#state.delete(key)
  }

  async #all(prefix: string): Promise<unknown[]> {
    const keys = await this.#state.keys(prefix)
    const values = await Promise.all(keys.map((key) => this.#state.get(key)))
    return values.filter((value) => typeof value === 'object' && value !== null)
  }
}

function nowKey(uuid: string): string {
  return `now/${short(uuid)}`
}

/** Keys have an end, names that others give need not. */
function short(uuid: string): string {
  return uuid.slice(0, 64)
}
