import type { Store } from '@backplane/kernel'
import type { HookRun } from '../plugins/hook-run.ts'

const namespace = 'exliar:hook-runs'
/** Kept of each hook, newest first. */
const keptRuns = 10
/** Of one value, characters of JSON; a longer one is left out. */
const longestValue = 65_536

/** The last runs of every hook, kept from one command to the next. */
export class HookRuns {
  readonly #store: Store
  #writing: Promise<void> = Promise.resolve()

  constructor(store: Store) {
    this.#store = store
  }

  /** Keeps a run. Writing goes on after it answered; {@link settled} waits for it. */
  record(run: HookRun): void {
    const kept = {
      ...run,
      value: shortened(run.value),
      steps: run.steps.map((step) => ({ ...step, value: shortened(step.value) })),
    }
    this.#writing = this.#writing.then(() => this.#add(kept))
    // Told by `settled`; nobody is to fail for it meanwhile.
    this.#writing.catch(() => undefined)
  }

  /** Of one hook, newest first. */
  async of(hook: string): Promise<readonly HookRun[]> {
    await this.#writing
    const text = await this.#store.get(namespace, hook)
    return text === undefined ? [] : (JSON.parse(text) as readonly HookRun[])
  }

  /** Settles once everything told so far is kept. Rejects when it could not be. */
  settled(): Promise<void> {
    return this.#writing
  }

  async #add(run: HookRun): Promise<void> {
    const text = await this.#store.get(namespace, run.hook)
    const before = text === undefined ? [] : (JSON.parse(text) as readonly HookRun[])
    await this.#store.set(namespace, run.hook, JSON.stringify([run, ...before].slice(0, keptRuns)))
  }
}

function shortened(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text === undefined || text.length <= longestValue ? value : { left_out: `${text.length} characters` }
}
