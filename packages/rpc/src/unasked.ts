import { aloneAt } from './batch.ts'
import { rpcErrors } from './errors.ts'
import { sizeOf } from './message.ts'
import { RateGate } from './rate-gate.ts'
import type { SessionLimits } from './session.ts'

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
  readonly #notices: RateGate

  constructor({ floodBytesPerSecond, noticeBytesPerSecond, noticeBurstBytes }: SessionLimits) {
    this.#floodBytesPerSecond = floodBytesPerSecond
    this.#flood = new RateGate(floodBytesPerSecond, floodBytesPerSecond)
    this.#notices = new RateGate(noticeBytesPerSecond, noticeBurstBytes)
  }

  /**
   * Whether a batch is to be dropped before it is parsed, which is what it would cost: a large notice while there is no
   * room for any. Errors: `RPC_FLOOD`.
   */
  refuses(text: string, parts: readonly Uint8Array[]): boolean {
    if (text.length <= largeUnits || this.#notices.waitMs() === 0 || !text.startsWith('[["notice",')) return false
    this.#count(sizeOf(text, parts))
    return true
  }

  /** Counts a parsed batch in which nothing is asked or answered. Errors: `RPC_FLOOD`. */
  count(messages: readonly (readonly unknown[])[], text: string, parts: readonly Uint8Array[]): void {
    if (messages.every(([kind]) => !asked.has(kind))) this.#count(sizeOf(text, parts))
  }

  /** Whether a notice is within its rate. */
  admits(bytes: number): boolean {
    return this.#notices.take(bytes)
  }

  #count(bytes: number): void {
    if (!this.#flood.take(bytes)) throw rpcErrors.error('RPC_FLOOD', { limit: this.#floodBytesPerSecond })
  }
}
