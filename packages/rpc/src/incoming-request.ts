import type { Progress } from '@backplane/sdk'
import { errorText } from './error-json.ts'
import type { PeerLimits } from './limits.ts'
import { checkSize, encodeValue, noParts, type Encoded } from './message.ts'
import type { Write } from './outbox.ts'
import type { IncomingCall } from './session.ts'

/** Who asks for what, and until when. */
export interface RequestHead {
  readonly id: number
  readonly target: string
  readonly deadlineAtMs: number | undefined
  readonly traceId: string
  readonly caller: string
  /** What it holds here. */
  readonly bytes: number
}

/** What a request asks of the session it came over. */
export interface IncomingTable {
  readonly peer: PeerLimits
  /** Deepest value both sides take. */
  readonly depth: number
  /** Writes the last message; only then does the request stop counting as in flight. */
  readonly last: (request: IncomingRequest, message: Encoded) => void
  /** Something is owed to the peer that may wait a little: an ack, a progress report. */
  readonly tidySoon: () => void
  /** Writes the newest progress report that has not been written yet. */
  readonly sendProgress: (request: IncomingRequest) => void
}

/** One request of the peer, until its last message has been written. */
export class IncomingRequest implements IncomingCall, Write {
  readonly id: number
  readonly deadlineAtMs: number | undefined
  readonly traceId: string
  readonly caller: string
  readonly bytes: number
  /** The handler has given its answer, or the session has ended: nothing more is said about it. */
  finished = false
  /** The peer has been told that the request was read. */
  acknowledged = false
  readonly #table: IncomingTable
  #controller: AbortController | undefined
  #aborted: { readonly reason: Error } | undefined
  #progress: Progress | undefined

  constructor(table: IncomingTable, head: RequestHead) {
    this.#table = table
    this.id = head.id
    this.deadlineAtMs = head.deadlineAtMs
    this.traceId = head.traceId
    this.caller = head.caller
    this.bytes = head.bytes
  }

  /** Made when first asked for: a controller costs more than the rest of a small call. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  get progress(): (progress: Progress) => void {
    return (progress) => this.#report(progress)
  }

  get aborted(): boolean {
    return this.#aborted !== undefined
  }

  abort(reason: Error): void {
    if (this.#aborted !== undefined) return
    this.#aborted = { reason }
    this.#controller?.abort(reason)
  }

  answer(value: unknown): void {
    if (this.finished) return
    const message = this.encode('result', value)
    if (message !== undefined) this.last(message)
  }

  fail(error: unknown): void {
    if (this.finished) return
    this.last({ text: `["error",${String(this.id)},${errorText(error, this.#table.peer)}]`, parts: noParts })
  }

  /** Undefined when the value cannot cross; the caller has then been told why. */
  encode(kind: 'result' | 'item', value: unknown): Encoded | undefined {
    try {
      const encoded = encodeValue(value, this.#table.depth)
      const text = `["${kind}",${String(this.id)}${encoded.text}]`
      checkSize(text, encoded.parts, this.#table.peer.messageBytes)
      return { text, parts: encoded.parts }
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  /** Writes the last message; only then does the request stop counting as in flight. */
  last(message: Encoded): void {
    this.finished = true
    this.#table.last(this, message)
  }

  /** Writes the newest progress report. */
  write(): void {
    this.#table.sendProgress(this)
  }

  get hasProgress(): boolean {
    return this.#progress !== undefined
  }

  /** The newest report that has not been written yet. */
  takeProgress(): Progress | undefined {
    const progress = this.#progress
    this.#progress = undefined
    return progress
  }

  #report({ done, total, phase }: Progress): void {
    if (this.finished || this.#aborted !== undefined || !(done >= 0) || !Number.isFinite(done)) return
    this.#table.tidySoon()
    const whole = total !== undefined && Number.isFinite(total) ? { total } : {}
    this.#progress = { done, ...whole, ...(typeof phase === 'string' ? { phase } : {}) }
  }
}
