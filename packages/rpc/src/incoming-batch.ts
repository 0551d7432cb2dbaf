import { parseAtOnceUnits, parseBatch, parseTrusted, weightOf } from './control-text.ts'
import type { RequestHead } from './incoming-request.ts'
import { malformed, string, wholeNumber } from './message.ts'
import { putParts } from './value-parts.ts'

/** What a `call` or `stream` message says. */
export interface RequestMessage {
  readonly head: RequestHead
  readonly value: unknown
}

/** What a `notice` message says. */
export interface NoticeMessage {
  readonly target: string
  readonly value: unknown
  readonly bytes: number
}

/** One batch of a peer's, parsed; its parts are handed out in order. Errors of all: `RPC_BAD_MESSAGE` and those of {@link parseBatch}. */
export class IncomingBatch {
  readonly messages: readonly (readonly unknown[])[]
  readonly #parts: readonly Uint8Array[]
  readonly #isTrusted: boolean
  readonly #isLarge: boolean
  #used = 0

  /** `depth` is that of the deepest value; undefined for a peer whose values are taken as they are. */
  constructor(text: string, parts: readonly Uint8Array[], depth: number | undefined) {
    this.messages = depth === undefined ? parseTrusted(text) : parseBatch(text, depth)
    this.#parts = parts
    this.#isTrusted = depth === undefined
    this.#isLarge = text.length > parseAtOnceUnits
  }

  /** The value that begins at a message's field `at`, with its bytes put back. */
  value(message: readonly unknown[], at: number): unknown {
    return putParts(message[at], message[at + 1], this.#next)
  }

  /** A notice, and what it holds. */
  notice(message: readonly unknown[]): NoticeMessage {
    const firstPart = this.#used
    const value = this.value(message, 2)
    const weight = this.#isTrusted ? 0 : weightOf(message)
    return { target: string(message[1], 'a target'), value, bytes: weight + this.#partBytes(firstPart) }
  }

  /** A request whose value begins at field `at`. */
  request(message: readonly unknown[], at: number): RequestMessage {
    const deadlineAtMs = wholeNumber(message[3], 'a deadline', 0)
    const firstPart = this.#used
    const value = this.value(message, at)
    const head = {
      id: wholeNumber(message[1], 'a request id', 1),
      target: string(message[2], 'a target'),
      deadlineAtMs: deadlineAtMs === 0 ? undefined : deadlineAtMs,
      traceId: string(message[4], 'a trace id'),
      caller: string(message[5], 'a caller'),
      bytes: this.#bytesOf(message, firstPart),
    }
    return { head, value }
  }

  /** Every part must have found its place. */
  checkUsed(): void {
    if (this.#used !== this.#parts.length) throw malformed('a part belongs to no message')
  }

  readonly #next = (): Uint8Array => {
    const part = this.#parts[this.#used++]
    if (part === undefined) throw malformed('a part is missing')
    return part
  }

  /** Texts of small batches are not counted: even a thousand of them hold little, and counting each would cost. */
  #bytesOf(message: readonly unknown[], firstPart: number): number {
    return (this.#isLarge && !this.#isTrusted ? weightOf(message) : 0) + this.#partBytes(firstPart)
  }

  #partBytes(firstPart: number): number {
    let bytes = 0
    for (let at = firstPart; at < this.#used; at++) bytes += this.#parts[at]?.byteLength ?? 0
    return bytes
  }
}
