import { parseKept } from './parse-kept.ts'
import type { Hold } from '../record.ts'
import type { Store } from '../ports.ts'

const namespace = 'kernel'
const pins = 'pin/'
const holds = 'hold/'

/** A {@link Hold} and what it takes to keep it. */
export interface KeptHold extends Hold {
  /** The package that is not taken, as the source has it. */
  readonly fingerprint: string
}

/**
 * Which versions serve instead of what the sources have first: pinned by hand, rolled back by hand, or held because the
 * newer one was found wanting. Kept in the store, so that a restart changes nothing of it.
 */
export class Choices {
  readonly #store: Store
  readonly #pins = new Map<string, string>()
  readonly #holds = new Map<string, KeptHold>()

  constructor(store: Store) {
    this.#store = store
  }

  async load(): Promise<void> {
    for (const key of await this.#store.keys(namespace, pins)) {
      const version = await this.#store.get(namespace, key)
      if (version !== undefined) this.#pins.set(key.slice(pins.length), version)
    }
    for (const key of await this.#store.keys(namespace, holds)) {
      const text = await this.#store.get(namespace, key)
      const hold = text === undefined ? undefined : parseKept(text)
      if (hold !== undefined) this.#holds.set(key.slice(holds.length), hold as KeptHold)
    }
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
