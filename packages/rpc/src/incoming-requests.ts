import { closedError } from './closed-error.ts'
import { rpcErrors } from './errors.ts'
import { decodeError, errorText } from './error-json.ts'
import type { RequestMessage } from './incoming-batch.ts'
import { IncomingRequest, type IncomingTable, type RequestHead } from './incoming-request.ts'
import { IncomingStream } from './incoming-stream.ts'
import { inFlightBytesOf, type PeerLimits } from './limits.ts'
import { IdTable } from './id-table.ts'
import { malformed, noParts, type Encoded, wholeNumber } from './message.ts'
import type { Outbox } from './outbox.ts'
import type { Handler, SessionLimits } from './session.ts'

/** Acks and progress wait this long, so that short calls need neither. Far below any `ackMs`. */
const tidyMs = 20

/** All requests of the peer in flight here. */
export class IncomingRequests implements IncomingTable {
  readonly limits: SessionLimits
  readonly outbox: Outbox
  readonly #handler: Handler
  readonly #active = new IdTable<IncomingRequest>()
  readonly #streams = new Map<number, IncomingStream>()
  #bytes = 0
  #lastId = 0
  #tidying: NodeJS.Timeout | undefined

  constructor(handler: Handler, outbox: Outbox, limits: SessionLimits) {
    this.#handler = handler
    this.outbox = outbox
    this.limits = limits
  }

  get peer(): PeerLimits {
    return this.outbox.peer ?? this.limits
  }

  get depth(): number {
    return Math.min(this.limits.depth, this.peer.depth)
  }

  call({ head, value }: RequestMessage): void {
    const request = this.#admit(head)
    try {
      const answer = this.#handler.call(head.target, value, request)
      if (isThenable(answer)) this.#await(request, answer)
      else request.answer(answer)
    } catch (error) {
      request.fail(error)
    }
  }

  stream({ head, value }: RequestMessage, credit: number): void {
    const request = this.#admit(head)
    this.tidySoon()
    const stream = new IncomingStream(request, this.outbox, credit)
    this.#streams.set(head.id, stream)
    void stream.run(() => this.#handler.stream(head.target, value, request))
  }

  /** Late ones, which crossed the last message, are legal; ones for requests never made are not. */
  cancel(id: unknown, reason: unknown): void {
    const request = this.#find(id)
    if (request === undefined) return
    request.abort(decodeError(reason))
    this.#streams.get(request.id)?.cancel()
  }

  credit(id: unknown, amount: unknown): void {
    const more = wholeNumber(amount, 'credit', 1)
    const request = this.#find(id)
    if (request === undefined) return
    const stream = this.#streams.get(request.id)
    if (stream === undefined) throw malformed('credit belongs to a stream')
    stream.give(more)
  }

  last(request: IncomingRequest, message: Encoded): void {
    if (this.outbox.writable) this.#finish(request, message)
    else this.outbox.enqueue({ write: () => this.#finish(request, message) })
  }

  tidySoon(): void {
    this.#tidying ??= setTimeout(() => this.#tidy(), tidyMs).unref()
  }

  /** The session has ended: the handlers hear it, and nothing they answer is sent. */
  close(cause: Error | undefined): void {
    const reason = closedError('the call', cause)
    reason.name = 'AbortError'
    clearTimeout(this.#tidying)
    for (const request of this.#active.values()) {
      request.finished = true
      request.abort(reason)
      this.#streams.get(request.id)?.cancel()
    }
    this.#active.clear()
    this.#streams.clear()
  }

  #await(request: IncomingRequest, answer: PromiseLike<unknown>): void {
    this.tidySoon()
    void Promise.resolve(answer).then(
      (value) => request.answer(value),
      (error: unknown) => request.fail(error),
    )
  }

  #admit(head: RequestHead): IncomingRequest {
    if (head.id <= this.#lastId) throw rpcErrors.error('RPC_OUT_OF_PROTOCOL', { problem: 'request ids must rise' })
    if (this.#active.size >= this.limits.inFlight) throw rpcErrors.error('RPC_TOO_MANY_CALLS', { limit: this.limits.inFlight })
    this.#bytes += head.bytes
    if (this.#bytes > inFlightBytesOf(this.limits)) {
      throw rpcErrors.error('RPC_TOO_MANY_BYTES', { limit: inFlightBytesOf(this.limits) })
    }
    this.#lastId = head.id
    const request = new IncomingRequest(this, head)
    this.#active.add(request)
    return request
  }

  #find(id: unknown): IncomingRequest | undefined {
    const known = wholeNumber(id, 'a request id', 1)
    if (known > this.#lastId) throw rpcErrors.error('RPC_OUT_OF_PROTOCOL', { problem: 'a request id that was never used' })
    return this.#active.get(known)
  }

  #finish(request: IncomingRequest, message: Encoded): void {
    this.sendProgress(request)
    this.#active.delete(request.id)
    this.#bytes -= request.bytes
    this.#streams.delete(request.id)
    try {
      this.outbox.send(message.text, message.parts)
    } catch (error) {
      this.outbox.send(`["error",${String(request.id)},${errorText(error, this.peer)}]`, noParts)
    }
  }

  /**
   * An ack tells the peer that its request was read, one message for all, and none for what is answered by then. Of
   * several progress reports the newest is sent.
   */
  #tidy(): void {
    this.#tidying = undefined
    const active = this.#active.values()
    const unknown = active.filter((request) => !request.acknowledged && !request.finished)
    for (const request of unknown) request.acknowledged = true
    if (unknown.length > 0) this.outbox.control(['ack', ...unknown.map((request) => request.id)])
    for (const request of active) if (request.hasProgress) this.outbox.enqueue(request)
  }

  sendProgress(request: IncomingRequest): void {
    const progress = request.takeProgress()
    if (progress !== undefined && this.#active.get(request.id) !== undefined) {
      this.outbox.control(['progress', request.id, progress])
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
