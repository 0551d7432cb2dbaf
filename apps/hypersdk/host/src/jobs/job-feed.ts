import type { Job, JobLogLine } from './job.ts'

/** What happens to one job while somebody looks on. */
export type JobEvent =
  | { readonly type: 'progress'; readonly job: Job }
  | { readonly type: 'log'; readonly line: JobLogLine }
  | { readonly type: 'end'; readonly job: Job }

/** Tells lookers-on of a job what happens to it, in order, while they look. Nothing is kept for those who come later. */
export class JobFeed {
  readonly #listeners = new Map<string, Set<(event: JobEvent) => void>>()

  /** A listener must not throw. Dispose to stop. */
  subscribe(id: string, listener: (event: JobEvent) => void): Disposable {
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

  emit(id: string, event: JobEvent): void {
    for (const listener of this.#listeners.get(id) ?? []) listener(event)
  }
}
