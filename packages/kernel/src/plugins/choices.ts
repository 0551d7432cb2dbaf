import { failureForm, type Form, kernelNamespace as namespace, readKept } from './kept-entries.ts'
import type { Hold } from '../record.ts'
import type { Log, Store } from '../ports.ts'

const pins = 'pin/'
const holds = 'hold/'

/** A {@link Hold} and what it takes to keep it. */
export interface KeptHold extends Hold {
  /** The package that is not taken, as the source has it. */
  readonly fingerprint: string
}

const holdForm: Form = {
  why: 'string',
  to: { version: 'string', digest: 'string' },
  against: { version: 'string', 'digest?': 'string' },
  sinceMs: 'number',
  fingerprint: 'string',
  'update?': { version: 'string', atMs: 'number', failure: failureForm },
}

/**
 * Which versions serve instead of what the sources have first: pinned by hand, rolled back by hand, or held because the
 * newer one was found wanting. Kept in the store, so that a restart changes nothing of it.
 */
export class Choices {
  readonly #store: Store
  readonly #log: Log
  readonly #pins = new Map<string, string>()
  readonly #holds = new Map<string, KeptHold>()

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  async load(): Promise<void> {
    for (const key of await this.#store.keys(namespace, pins)) {
      const version = await this.#store.get(namespace, key)
      if (version !== undefined) this.#pins.set(key.slice(pins.length), version)
    }
    const kept = await readKept<KeptHold>({ store: this.#store, log: this.#log }, holds, holdForm)
    for (const [id, hold] of kept) this.#holds.set(id, hold)
  }

  /** Plugins something was decided of. */
  ids(): ReadonlySet<string> {
    return new Set([...this.#pins.keys(), ...this.#holds.keys()])
  }

  pinned(plugin: string): string | undefined {
    return this.#pins.get(plugin)
  }

  held(plugin: string): KeptHold | undefined {
    return this.#holds.get(plugin)
  }

  async pin(plugin: string, version: string | undefined): Promise<void> {
    if (version === undefined) {
      this.#pins.delete(plugin)
      await this.#store.delete(namespace, pins + plugin)
    } else {
      this.#pins.set(plugin, version)
      await this.#store.set(namespace, pins + plugin, version)
    }
  }

  /** What counts only as long as this host runs is not written down. */
  async hold(plugin: string, hold: KeptHold, isDurable: boolean): Promise<void> {
    this.#holds.set(plugin, hold)
    if (isDurable) await this.#store.set(namespace, holds + plugin, JSON.stringify(hold))
  }

  async release(plugin: string): Promise<void> {
    if (this.#holds.delete(plugin)) await this.#store.delete(namespace, holds + plugin)
  }
}
