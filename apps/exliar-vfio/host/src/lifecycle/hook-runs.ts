import type { Store } from '@backplane/kernel'
import type { HookRun } from '../plugins/hook-run.ts'

const namespace = 'exliar:hook-runs'
/** Kept of each hook, newest first. */
const keptRuns = 10
/** Of one value, characters of JSON; a longer one is left out. */
const longestValue = 65_536

/** Runs are written together: each write waits for the disk, and a detection has many. */
const gatherMs = 250

/** The last runs of every hook, kept from one command to the next. */
export class HookRuns {
  readonly #store: Store
  /** Not written yet, newest first. */
  #gathered = new Map<string, readonly HookRun[]>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(store: Store) {
    this.#store = store
  }

  /** Keeps a run. It is written a little later; {@link settled} writes it now. */
  record(run: HookRun): void {
    const kept = {
      ...run,
      value: shortened(run.value),
      steps: run.steps.map((step) => ({ ...step, value: shortened(step.value) })),
    }
    const gathered = this.#gathered.get(run.hook) ?? []
    this.#gathered.set(run.hook, [kept, ...gathered].slice(0, keptRuns))
    this.#timer ??= setTimeout(() => void this.#write(), gatherMs).unref()
  }

  /** Of one hook, newest first. */
  async of(hook: string): Promise<readonly HookRun[]> {
    await this.#write()
    const text = await this.#store.get(namespace, hook)
    return text === undefined ? [] : (JSON.parse(text) as readonly HookRun[])
  }

  /** Settles once everything told so far is kept. Rejects when it could not be. */
  settled(): Promise<void> {
    return this.#write()
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const gathered = this.#gathered
    this.#gathered = new Map()
    this.#writing = this.#addAll(this.#writing, gathered)
    // Told by `settled`; nobody is to fail for it meanwhile.
    this.#writing.catch(() => undefined)
    return this.#writing
  }

  async #addAll(before: Promise<void>, gathered: ReadonlyMap<string, readonly HookRun[]>): Promise<void> {
    await before
    for (const [hook, runs] of gathered) await this.#add(hook, runs)
  }

  async #add(hook: string, runs: readonly HookRun[]): Promise<void> {
    const text = await this.#store.get(namespace, hook)
    const before = text === undefined ? [] : (JSON.parse(text) as readonly HookRun[])
    await this.#store.set(namespace, hook, JSON.stringify([...runs, ...before].slice(0, keptRuns)))
  }
}

function shortened(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text === undefined || text.length <= longestValue ? value : { left_out: `${text.length} characters` }
}
