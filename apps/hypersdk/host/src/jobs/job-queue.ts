/** A job that waits for its turn. */
export interface Waiting {
  readonly id: string
  /** Type or instance, as the job names it. */
  readonly provider: string
  /** Not before; 0 for at once. */
  readonly dueAtMs: number
}

/** Jobs that wait, oldest first. */
export class JobQueue {
  #waiting: Waiting[] = []

  get size(): number {
    return this.#waiting.length
  }

  add(one: Waiting): void {
    this.#waiting.push(one)
  }

  /** For one that had its turn already. */
  addFirst(one: Waiting): void {
    this.#waiting.unshift(one)
  }

  remove(id: string): void {
    this.#waiting = this.#waiting.filter((one) => one.id !== id)
  }

  /** Those that are due, oldest first; they stay until they are removed. */
  due(nowMs: number): readonly Waiting[] {
    return this.#waiting.filter((one) => one.dueAtMs <= nowMs)
  }

  /** When the next of those that are not due will be; undefined when there is none. */
  nextDueMs(nowMs: number): number | undefined {
    let next: number | undefined
    for (const { dueAtMs } of this.#waiting) if (dueAtMs > nowMs && dueAtMs < (next ?? Infinity)) next = dueAtMs
    return next
  }
}
