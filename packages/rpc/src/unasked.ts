import { aloneAt } from './batch.ts'
import { rpcErrors } from './errors.ts'
import { sizeOf } from './message.ts'
import { RateGate } from './rate-gate.ts'
import type { SessionLimits } from './session.ts'

/** One notice alone may be this part of what may come at once: a reader deals with it in one go. */
const partOfBurst = 8

/** What may go of notices, the same at both ends. */
export class NoticeGate {
  readonly #rate: RateGate
  readonly #largest: number

  constructor({ noticeBytesPerSecond, noticeBurstBytes }: Pick<SessionLimits, 'noticeBytesPerSecond' | 'noticeBurstBytes'>) {
    this.#rate = new RateGate(noticeBytesPerSecond, noticeBurstBytes)
    this.#largest = noticeBurstBytes / partOfBurst
  }

  /** Whether a notice goes; it is counted then. */
  admits(bytes: number): boolean {
    return bytes <= this.#largest && this.#rate.take(bytes)
  }

  /** Whether one of this size would not go now. */
  refuses(bytes: number): boolean {
    return bytes > this.#largest || this.#rate.waitMs() > 0
  }
}

/** A batch with more text than this holds one message, unless somebody else's program made it. */
const largeUnits = 2 * aloneAt
/** Messages that ask for an answer, or are one. */
const asked: ReadonlySet<unknown> = new Set(['call', 'stream', 'result', 'item', 'end', 'error'])

/**
 * What a peer sends that nobody waits for: notices have a rate, and those beyond it are dropped; whoever sends many times
 * more than any rate only wants to keep this side busy.
 */
export class Unasked {
  readonly #floodBytesPerSecond: number
  readonly #flood: RateGate
  readonly #notices: NoticeGate

  constructor(limits: SessionLimits) {
    this.#floodBytesPerSecond = limits.floodBytesPerSecond
    this.#flood = new RateGate(limits.floodBytesPerSecond, limits.floodBytesPerSecond)
    this.#notices = new NoticeGate(limits)
  }

  /**
   * Whether a batch is to be dropped before it is parsed, which is what it would cost: a large notice that would not go.
   * Errors: `RPC_FLOOD`.
   */
  refuses(text: string, parts: readonly Uint8Array[]): boolean {
    if (text.length <= largeUnits || !text.startsWith('[["notice",')) return false
    const bytes = sizeOf(text, parts)
    if (!this.#notices.refuses(bytes)) return false
    this.#count(bytes)
    return true
  }

  /** Counts a parsed batch in which nothing is asked or answered. Errors: `RPC_FLOOD`. */
  count(messages: readonly (readonly unknown[])[], text: string, parts: readonly Uint8Array[]): void {
    if (messages.every(([kind]) => !asked.has(kind))) this.#count(sizeOf(text, parts))
  }

  /** Whether a notice is within its rate. */
  admits(bytes: number): boolean {
    return this.#notices.admits(bytes)
  }

  #count(bytes: number): void {
    if (!this.#flood.take(bytes)) throw rpcErrors.error('RPC_FLOOD', { limit: this.#floodBytesPerSecond })
  }
}
