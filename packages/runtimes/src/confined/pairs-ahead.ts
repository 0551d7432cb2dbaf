import { defaultLimits, socketPair, type SocketPair } from '@backplane/rpc'

/** How long after one was taken the next is made, ms: the start that took it goes first. */
const delayMs = 100

/** Keeps one socket pair ready, because making one takes some milliseconds that a start should not wait for. */
export class PairsAhead implements AsyncDisposable {
  #next: Promise<SocketPair> | undefined
  #timer: NodeJS.Timeout | undefined
  #disposed = false

  /** Makes the next one now. */
  prepare(): void {
    if (this.#disposed || this.#next !== undefined) return
    this.#next = socketPair()
    // Whoever takes it is told.
    this.#next.catch(() => undefined)
  }

  /** The caller owns the pair. */
  take(): Promise<SocketPair> {
    const next = this.#next ?? socketPair()
    this.#next = undefined
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.prepare(), delayMs).unref()
    return next
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    clearTimeout(this.#timer)
    const next = await this.#next?.catch(() => undefined)
    if (next === undefined) return
    next.far.destroy()
    await closeUnused(next)
  }
}

/** Closes the near end of a pair that no session was made on. */
export async function closeUnused({ channel }: SocketPair): Promise<void> {
  channel.receive({ message: () => undefined, closed: () => undefined }, defaultLimits)
  await channel.close()
}
