import type { PlatformError, Progress } from '@backplane/sdk'
import { abortError, deadlineError, encodeError } from './error-json.ts'
import { deeperThan } from './control-text.ts'
import { rpcErrors } from './errors.ts'
import { checkSize, encode, type Encoded } from './message.ts'
import type { OutgoingRequests } from './outgoing-requests.ts'
import type { Write } from './outbox.ts'
import type { OutgoingCall } from './session.ts'

/**
 * `held` not sent yet · `sent` · `abandoned` given up here while the peer still owes its last message, until which the
 * id stays known · `settled`.
 */
export type RequestState = 'held' | 'sent' | 'abandoned' | 'settled'

/** One request of this side, from its making until the caller has its answer. */
export abstract class OutgoingRequest implements Write {
  abstract readonly kind: 'call' | 'stream'
  readonly target: string
  readonly deadlineAtMs: number | undefined
  state: RequestState = 'held'
  /** The peer has read the request. */
  acknowledged = false
  sentAtMs = 0
  id = 0
  readonly #table: OutgoingRequests
  readonly #signal: AbortSignal | undefined
  readonly #onProgress: ((progress: Progress) => void) | undefined
  #message: Encoded | undefined

  constructor(table: OutgoingRequests, target: string, options: OutgoingCall) {
    this.#table = table
    this.target = target
    this.deadlineAtMs = options.deadlineAtMs
    this.#signal = options.signal
    this.#onProgress = options.onProgress
  }

  /** Encodes and sends, or holds until it may. Never throws: what is wrong settles the request. */
  protected start(extra: readonly unknown[], value: unknown, options: OutgoingCall): void {
    const signal = this.#signal
    if (signal?.aborted === true) return this.#refuse(abortError(this.target, signal.reason))
    const deadline = this.deadlineAtMs
    if (deadline !== undefined && deadline <= Date.now()) return this.#refuse(deadlineError(this.target, deadline))
    const fields = [this.target, deadline ?? 0, options.traceId ?? '', options.caller ?? '', ...extra]
    try {
      this.#message = encode(fields, value, this.#table.limits.depth)
    } catch (error) {
      return this.#refuse(error as PlatformError)
    }
    signal?.addEventListener('abort', this)
    this.#table.start(this)
  }

  /** The request's turn has come. */
  write(): void {
    const message = this.#message
    if (this.state !== 'held' || message === undefined || !this.#table.admits(this)) return
    const peer = this.#table.peer
    try {
      checkSize(message, peer.messageBytes - requestHeadBytes)
      if (peer.depth < this.#table.limits.depth && deeperThan(message.text, peer.depth + 1)) {
        throw rpcErrors.error('RPC_TOO_DEEP', { limit: peer.depth })
      }
    } catch (error) {
      return this.settle(() => this.failed(error as PlatformError))
    }
    this.#message = undefined
    this.state = 'sent'
    this.sentAtMs = performance.now()
    this.id = this.#table.sent(this)
    this.#table.send({ text: `["${this.kind}",${String(this.id)},${message.text.slice(1)}`, parts: message.parts })
  }

  /** Ends waiting here and tells the peer, which still owes its last message. */
  abandon(error: Error): void {
    if (this.state === 'held') return this.settle(() => this.failed(error))
    if (this.state !== 'sent') return
    this.#table.control(['cancel', this.id, encodeError(error)])
    this.settle(() => this.failed(error), 'abandoned')
  }

  /** Lets go of everything, then tells the caller. */
  settle(tell: () => void, state: 'settled' | 'abandoned' = 'settled'): void {
    if (this.state === 'settled' || this.state === 'abandoned') return
    this.state = state
    this.#message = undefined
    this.#signal?.removeEventListener('abort', this)
    this.#table.released(this)
    tell()
  }

  /** The signal was aborted. */
  handleEvent(): void {
    this.abandon(abortError(this.target, this.#signal?.reason))
  }

  expire(): void {
    this.abandon(deadlineError(this.target, this.deadlineAtMs ?? 0))
  }

  /** A caller's own callback that throws ends its call, not the session. */
  progress(progress: Progress): void {
    if (this.state !== 'sent') return
    try {
      this.#onProgress?.(progress)
    } catch (error) {
      this.abandon(abortError(this.target, error))
    }
  }

  #refuse(error: Error): void {
    this.state = 'settled'
    this.failed(error)
  }

  /** Tells the caller, once. */
  abstract failed(error: Error): void
}

/** Kind and id, which are put before the rest when the request is sent. */
const requestHeadBytes = 32
