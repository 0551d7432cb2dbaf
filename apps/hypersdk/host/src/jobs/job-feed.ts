/** Tells lookers-on that something happened to a job; what it is, they read from the ledger. */
export class JobFeed {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** A listener must not throw. Dispose to stop. */
  subscribe(id: string, listener: () => void): Disposable {
    const listeners = this.#listeners.get(id) ?? new Set()
    listeners.add(listener)
    this.#listeners.set(id, listeners)
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id)
      },
    }
  }

  /** Something about the job is new. */
  tell(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener()
  }
}
