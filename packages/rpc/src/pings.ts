import { closedError } from './closed-error.ts'
import { rpcErrors } from './errors.ts'
import { wholeNumber } from './message.ts'
import type { Outbox } from './outbox.ts'

interface Ping {
  readonly answered: () => void
  readonly failed: (error: Error) => void
}

/** Asks whether the peer's event loop runs, and answers when it asks. A pong answers every ping up to its number. */
export class Pings {
  readonly #outbox: Outbox
  readonly #asked = new Map<number, Ping>()
  #lastAsked = 0
  /** The newest ping of the peer that waits for its pong: however many it sends, one answer is owed. */
  #owed: number | undefined
  #lastOwed = 0
  #closed: Error | undefined

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  ping(deadlineMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {})
    if (this.#closed !== undefined) {
      reject(this.#closed)
      return promise
    }
    const number = ++this.#lastAsked
    const timer = setTimeout(() => settle(() => reject(rpcErrors.error('RPC_HUNG', { deadlineMs }))), deadlineMs)
    const settle = (tell: () => void): void => {
      clearTimeout(timer)
      this.#asked.delete(number)
      tell()
    }
    this.#asked.set(number, { answered: () => settle(resolve), failed: (error) => settle(() => reject(error)) })
    this.#outbox.enqueue({ write: () => this.#outbox.control(['ping', number]) })
    return promise
  }

  asked(number: unknown): void {
    const asked = wholeNumber(number, 'a ping', this.#lastOwed + 1)
    this.#lastOwed = asked
    const waits = this.#owed !== undefined
    this.#owed = asked
    if (!waits) this.#outbox.enqueue({ write: () => this.#answer() })
  }

  answered(number: unknown): void {
    const upTo = wholeNumber(number, 'a pong', 1)
    if (upTo > this.#lastAsked) throw rpcErrors.error('RPC_OUT_OF_PROTOCOL', { problem: 'a pong without a ping' })
    for (const [asked, ping] of this.#asked) if (asked <= upTo) ping.answered()
  }

  close(cause: Error | undefined): void {
    const error = closedError('the ping', cause)
    this.#closed = error
    for (const ping of this.#asked.values()) ping.failed(error)
  }

  #answer(): void {
    this.#outbox.control(['pong', this.#owed])
    this.#owed = undefined
  }
}
