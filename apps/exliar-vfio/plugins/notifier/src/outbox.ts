import type { Logger } from '@backplane/sdk'
import type { Notice } from './notice.ts'

/** What an {@link Outbox} needs. */
export interface OutboxOptions {
  /** Sends one message, with all its attempts. */
  readonly send: (notice: Notice, signal: AbortSignal) => Promise<void>
  readonly perMinute: number
  readonly log: Logger
  readonly limits?: Partial<OutboxLimits>
}

/** Limits of an {@link Outbox}. */
export interface OutboxLimits {
  /** Messages that wait; more are left out, and counted. What plugins say may take half of them. Default 100. */
  readonly waiting: number
  /** What `perMinute` counts in, ms. Default 60,000. */
  readonly windowMs: number
  /** For what still waits when the plugin stops, ms. Default 2,000. */
  readonly flushMs: number
}

/**
 * Sends messages one after the other, in their order, and not too many: whoever has something to tell does not wait for it.
 * A message that cannot be sent is logged and left out. Dispose it to send what still waits, as far as there is time.
 */
export class Outbox implements AsyncDisposable {
  readonly #options: OutboxOptions
  readonly #limits: OutboxLimits
  readonly #waiting: Notice[] = []
  readonly #sentAtMs: number[] = []
  readonly #giveUp = new AbortController()
  readonly #closing = new AbortController()
  #leftOut = 0
  #working: Promise<void> | undefined

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#limits = { waiting: 100, windowMs: 60_000, flushMs: 2_000, ...options.limits }
  }

  /** Takes a message; never waits. */
  put(notice: Notice): void {
    const { waiting } = this.#limits
    // A plugin that talks without end does not keep the host from being heard.
    const room = notice.event === 'plugin-event' ? Math.ceil(waiting / 2) : waiting
    if (this.#waiting.length >= room || this.#closing.signal.aborted) {
      this.#leftOut += 1
      return
    }
    this.#waiting.push(notice)
    this.#working ??= this.#work()
  }

  /** Settles when nothing waits. */
  async settled(): Promise<void> {
    await this.#working
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    const timer = setTimeout(() => this.#giveUp.abort(), this.#limits.flushMs)
    await this.#working
    clearTimeout(timer)
    const lost = this.#waiting.length + this.#leftOut
    if (lost > 0) this.#options.log.warn('messages were not sent before the end', { count: lost })
  }

  async #work(): Promise<void> {
    const { send, log } = this.#options
    const { signal } = this.#giveUp
    while (this.#waiting.length > 0 && !signal.aborted) {
      await this.#waitForTurn()
      const notice = this.#waiting.shift()
      if (notice === undefined) break
      this.#sentAtMs.push(Date.now())
      const leftOut = this.#leftOut
      this.#leftOut = 0
      try {
        await send(
          leftOut === 0 ? notice : { ...notice, text: `${notice.text} (${leftOut} messages before it were left out)` },
          signal,
        )
      } catch (error) {
        log.warn('a message was not sent', { event: notice.event, error })
      }
    }
    this.#working = undefined
  }

  /** Not when the plugin stops: what waits then is sent at once, or never. */
  async #waitForTurn(): Promise<void> {
    const { perMinute } = this.#options
    const { windowMs } = this.#limits
    while (this.#sentAtMs.length > 0 && (this.#sentAtMs[0] ?? 0) <= Date.now() - windowMs) this.#sentAtMs.shift()
    const first = this.#sentAtMs.at(-perMinute)
    const { signal } = this.#closing
    if (first === undefined || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const over = (): void => resolve()
    const timer = setTimeout(over, first + windowMs - Date.now())
    signal.addEventListener('abort', over)
    await promise
    clearTimeout(timer)
    signal.removeEventListener('abort', over)
  }
}
