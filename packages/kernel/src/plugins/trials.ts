import { type Form, kernelNamespace, readKept } from './kept-entries.ts'
import { messageOf } from '../calls/thrown.ts'
import type { LimitName, Log, Store } from '../ports.ts'

const prefix = 'probation/'

/** A version and its bytes. */
export interface VersionBytes {
  readonly version: string
  readonly digest: string
}

/** A version that serves on probation, and what is known of the one before it; all that it takes to go on after a restart. */
export interface Trial {
  readonly newer: VersionBytes
  readonly older: VersionBytes
  /** How the one before did. */
  readonly figures: TrialFigures
}

/** What a new version is compared with. */
export interface TrialFigures {
  /** Of 100 calls. */
  readonly faultPercent: number
  /** Calls whose time was counted, and the time 99 of 100 of them kept, ms. */
  readonly timed: number
  readonly p99Ms: number
  readonly memoryBytes?: number
  /** Limits it went over itself. */
  readonly exceeded: readonly LimitName[]
}

const bytesForm: Form = { version: 'string', digest: 'string' }
const trialForm: Form = {
  newer: bytesForm,
  older: bytesForm,
  figures: { faultPercent: 'number', timed: 'number', p99Ms: 'number', 'memoryBytes?': 'number', exceeded: {} },
}

/**
 * Which versions are on probation, kept in the store so that the next host goes on watching. Written before a version takes
 * over: killed at any moment, a host leaves no new version unwatched.
 */
export class Trials {
  readonly #store: Store
  readonly #log: Log
  readonly #trials = new Map<string, Trial>()

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  async load(): Promise<void> {
    const kept = await readKept<Trial>({ store: this.#store, log: this.#log }, prefix, trialForm)
    for (const [id, trial] of kept) this.#trials.set(id, trial)
  }

  of(plugin: string): Trial | undefined {
    return this.#trials.get(plugin)
  }

  /** A store that cannot be written keeps nobody from taking over; then the probation ends with this host. */
  async begin(plugin: string, trial: Trial): Promise<void> {
    this.#trials.set(plugin, trial)
    await this.#write(plugin, () => this.#store.set(kernelNamespace, prefix + plugin, JSON.stringify(trial)))
  }

  async end(plugin: string): Promise<void> {
    if (!this.#trials.delete(plugin)) return
    await this.#write(plugin, () => this.#store.delete(kernelNamespace, prefix + plugin))
  }

  async #write(plugin: string, write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
    } catch (error) {
      this.#log.write({ level: 'error', message: `its probation cannot be written: ${messageOf(error)}`, plugin })
    }
  }
}
