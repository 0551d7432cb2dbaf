import { randomUUID } from 'node:crypto'
import type { Store } from '@backplane/kernel'
import type { HookRun } from '../plugins/hook-run.ts'

const namespace = 'exliar:hook-runs'
/** Kept of each hook, newest first. */
const keptRuns = 10
/** Of one value, characters of JSON; a longer one is left out. */
const longestValue = 65_536

/** Runs are written together: each write waits for the disk, and a detection has many. */
const gatherMs = 250

/** The last runs of every hook, kept from one command to the next; several programs may write at once. */
export class HookRuns {
  readonly #store: Store
  /** Not written yet, newest first. */
  #gathered = new Map<string, readonly HookRun[]>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<unknown> = Promise.resolve()
  /** The first write that failed. */
  #failure: { readonly error: unknown } | undefined

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
    const keys = (await this.#keysOf(hook)).toReversed().slice(0, keptRuns)
    const texts = await Promise.all(keys.map((key) => this.#store.get(namespace, key)))
    const runs = texts.flatMap((text) => (text === undefined ? [] : (JSON.parse(text) as readonly HookRun[])))
    return runs.toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, keptRuns)
  }

  /** Settles once everything told so far is written. Rejects when some of it could not be. */
  async settled(): Promise<void> {
    await this.#write()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #write(): Promise<unknown> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const gathered = [...this.#gathered]
    this.#gathered = new Map()
    this.#writing = this.#writing
      .then(() => Promise.all(gathered.map(([hook, runs]) => this.#add(hook, runs))))
      .catch((error: unknown) => (this.#failure ??= { error }))
    return this.#writing
  }

  /** Under a key of their own, so that nobody writes over what another program adds meanwhile. */
  async #add(hook: string, runs: readonly HookRun[]): Promise<void> {
    const before = await this.#keysOf(hook)
    await Promise.all([
      this.#store.set(namespace, `${hook} ${runs[0]?.at} ${randomUUID()}`, JSON.stringify(runs)),
      ...before.slice(0, Math.max(0, before.length + 1 - keptRuns)).map((key) => this.#store.delete(namespace, key)),
    ])
  }

  /** Oldest first: a key says when the newest of its runs was. */
  #keysOf(hook: string): Promise<readonly string[]> {
    return this.#store.keys(namespace, `${hook} `)
  }
}

function shortened(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text === undefined || text.length <= longestValue ? value : { left_out: `${text.length} characters` }
}
