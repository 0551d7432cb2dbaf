import type { Store } from './ports.ts'

const namespace = 'kernel'
const prefix = 'disabled/'

/** Which plugins the operator switched off, and why; kept in the store, so that it survives restarts. */
export class Switches {
  readonly #store: Store
  readonly #reasons: Map<string, string>

  private constructor(store: Store, reasons: Map<string, string>) {
    this.#store = store
    this.#reasons = reasons
  }

  static async load(store: Store): Promise<Switches> {
    const reasons = new Map<string, string>()
    for (const key of await store.keys(namespace, prefix)) {
      reasons.set(key.slice(prefix.length), (await store.get(namespace, key)) ?? 'it was disabled')
    }
    return new Switches(store, reasons)
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
