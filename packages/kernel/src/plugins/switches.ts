import { kernelNamespace as namespace } from './kept-entries.ts'
import type { Store } from '../ports.ts'

const prefix = 'disabled/'

/** Which plugins the operator switched off, and why; kept in the store, so that it survives restarts. */
export class Switches {
  readonly #store: Store
  readonly #reasons = new Map<string, string>()

  constructor(store: Store) {
    this.#store = store
  }

  async load(): Promise<void> {
    for (const key of await this.#store.keys(namespace, prefix)) {
      this.#reasons.set(key.slice(prefix.length), (await this.#store.get(namespace, key)) ?? 'it was disabled')
    }
  }

  /** Why the plugin is off; undefined when it is not. */
  reason(id: string): string | undefined {
    return this.#reasons.get(id)
  }

  async off(id: string, reason: string): Promise<void> {
    this.#reasons.set(id, reason)
    await this.#store.set(namespace, prefix + id, reason)
  }

  /** Answers whether it was off. */
  async on(id: string): Promise<boolean> {
    if (!this.#reasons.delete(id)) return false
    await this.#store.delete(namespace, prefix + id)
    return true
  }
}
