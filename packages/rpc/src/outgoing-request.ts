import type { Progress } from '@backplane/sdk'
import { deeperThan } from './control-text.ts'
import { abortError, deadlineError, errorText } from './error-json.ts'
import { rpcErrors } from './errors.ts'
import { checkSize, encodeValue, noParts } from './message.ts'
import { checkPresent } from './value-parts.ts'
import type { PeerLimits } from './limits.ts'
import type { Write } from './outbox.ts'
import type { RequestHeadWriter } from './request-head-writer.ts'
import type { Cancellation, OutgoingCall, SessionLimits } from './session.ts'

/**
 * `held` not sent yet · `sent` · `abandoned` given up here while the peer still owes its last message, until which the
 * id stays known · `settled`.
 */
export type RequestState = 'held' | 'sent' | 'abandoned' | 'settled'

/** What a caller asks for. */
export interface Asked {
  readonly target: string
  readonly value: unknown
  readonly options: OutgoingCall
}

/** What a request asks of the session it belongs to. */
export interface OutgoingTable {
  readonly limits: SessionLimits
  readonly peer: PeerLimits
  readonly heads: RequestHeadWriter
  /** What a request made now fails with, once the session has ended. */
  readonly closed: (target: string) => Error | undefined
  /** Writes the request when its turn comes. */
  readonly start: (request: OutgoingRequest) => void
  /** Whether the peer takes this one now, and none waits before it. */
  readonly admits: (request: OutgoingRequest) => boolean
  /** Gives a request its id and waits for its answer. */
  readonly sent: (request: OutgoingRequest) => void
  /** A request that was held is not to be sent any more. */
  readonly withdraw: (request: OutgoingRequest) => void
  readonly send: (text: string, parts: readonly Uint8Array[]) => void
  readonly control: (fields: readonly unknown[]) => void
}

/** One request of this side, from its making until the caller has its answer. */
export abstract class OutgoingRequest implements Write {
  abstract readonly kind: 'call' | 'stream'
  readonly target: string
  state: RequestState = 'held'
  /** The peer has read the request. */
  acknowledged = false
  sentAtMs = 0
  abandonedAtMs = 0
  id = 0
  /** What the peer holds for it. */
  bytes = 0
  protected readonly table: OutgoingTable
  readonly #options: OutgoingCall
  #text = ''
  #parts: readonly Uint8Array[] = noParts

  constructor(table: OutgoingTable, asked: Asked) {
    this.table = table
    this.target = asked.target
    this.#options = asked.options
  }

  get deadlineAtMs(): number | undefined {
    return this.#options.deadlineAtMs
  }

  /** Encodes and sends, or holds until it may. Never throws: what is wrong settles the request. */
  protected start(value: unknown, credit: string): void {
    const { signal, deadlineAtMs } = this.#options
    const wrong = this.#wrongFromTheStart(signal, deadlineAtMs)
    if (wrong !== undefined) return this.fail(wrong)
    try {
      const encoded = encodeValue(value, this.table.limits.depth)
      this.#text = `${this.table.heads.write(this.target, this.#options)}${credit}${encoded.text}]`
      this.#parts = encoded.parts
      this.bytes = this.#text.length
      for (const part of encoded.parts) this.bytes += part.byteLength
    } catch (error) {
      return this.fail(error as Error)
    }
    signal?.addEventListener('abort', this)
    this.table.start(this)
  }

  /** The request's turn has come. */
  write(): void {
    const { table } = this
    if (this.state !== 'held' || !table.admits(this)) return
    try {
      for (const part of this.#parts) checkPresent(part)
      checkSize(this.#text, this.#parts, table.peer.messageBytes - headRoomBytes)
      if (table.peer.depth < table.limits.depth && deeperThan(this.#text, table.peer.depth)) {
        throw rpcErrors.error('RPC_TOO_DEEP', { limit: table.peer.depth })
      }
    } catch (error) {
      return this.fail(error as Error)
    }
    table.sent(this)
    this.state = 'sent'
    table.send(`["${this.kind}",${String(this.id)},${this.#text}`, this.#parts)
    this.#text = ''
    this.#parts = noParts
  }

  /** Ends waiting here; the peer is told, and still owes its last message. */
  abandon(error: Error): void {
    if (this.state === 'sent') {
      this.table.send(`["cancel",${String(this.id)},${errorText(error, this.table.peer)}]`, noParts)
      this.release('abandoned')
      this.abandonedAtMs = performance.now()
      this.failed(error)
    } else {
      this.fail(error)
    }
  }

  /** Ends with an error. */
  fail(error: Error): void {
    if (this.release('settled')) this.failed(error)
  }

  /** Lets go of everything the request holds; false when it had ended before. */
  protected release(state: 'settled' | 'abandoned'): boolean {
    if (this.state === 'settled' || this.state === 'abandoned') return false
    if (this.state === 'held') this.table.withdraw(this)
    this.state = state
    this.#options.signal?.removeEventListener('abort', this)
    return true
  }

  /** The caller's signal was aborted. */
  handleEvent(): void {
    this.abandon(abortError(this.target, this.#options.signal?.reason))
  }

  /** The deadline has passed. */
  expire(): void {
    this.abandon(deadlineError(this.target, this.deadlineAtMs ?? 0))
  }

  /** A caller's own callback that throws ends its call, not the session. */
  progress(progress: Progress): void {
    if (this.state !== 'sent') return
    try {
      this.#options.onProgress?.(progress)
    } catch (error) {
      this.abandon(abortError(this.target, error))
    }
  }

  /** Tells the caller, once. */
  protected abstract failed(error: Error): void

  #wrongFromTheStart(signal: Cancellation | undefined, deadlineAtMs: number | undefined): Error | undefined {
    if (signal?.aborted === true) return abortError(this.target, signal.reason)
    if (deadlineAtMs !== undefined && deadlineAtMs <= Date.now()) return deadlineError(this.target, deadlineAtMs)
    return this.table.closed(this.target)
  }
}

/** Kind and id, which are put before the rest when the request is sent. */
const headRoomBytes = 32
