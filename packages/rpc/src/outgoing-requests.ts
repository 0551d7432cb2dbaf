import type { Progress } from '@backplane/sdk'
import { decodeError } from './error-json.ts'
import { rpcErrors } from './errors.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import type { PeerLimits } from './limits.ts'
import { malformed, type Encoded } from './message.ts'
import type { Outbox } from './outbox.ts'
import { UnaryCall } from './outgoing-call.ts'
import type { OutgoingRequest } from './outgoing-request.ts'
import { StreamReader } from './outgoing-stream.ts'
import type { SessionLimits } from './session.ts'

/** All requests of this side: which wait, which are sent, and what each incoming answer belongs to. */
export class OutgoingRequests {
  readonly limits: SessionLimits
  readonly #outbox: Outbox
  /** Sent, and the peer still owes the last message. */
  readonly #sent = new Map<number, OutgoingRequest>()
  /** Callers still wait for these. */
  readonly #live = new Set<OutgoingRequest>()
  /** The peer takes no more for now. */
  readonly #held = new Set<OutgoingRequest>()
  readonly #deadlines = new DeadlineTimer(() => this.#expire())
  #lastId = 0
  #closed: Error | undefined

  constructor(outbox: Outbox, limits: SessionLimits) {
    this.#outbox = outbox
    this.limits = limits
  }

  get peer(): PeerLimits {
    return this.#outbox.peer ?? this.limits
  }

  start(request: OutgoingRequest): void {
    this.#live.add(request)
    if (this.#closed !== undefined) return request.settle(() => request.failed(this.#closedError(request)))
    if (request.deadlineAtMs !== undefined) this.#deadlines.arm(request.deadlineAtMs)
    this.#outbox.enqueue(request)
  }

  /** Gives a request its id. */
  sent(request: OutgoingRequest): number {
    const id = ++this.#lastId
    this.#sent.set(id, request)
    return id
  }

  /** False: the peer takes no more now; the request will be written when one ends. */
  admits(request: OutgoingRequest): boolean {
    if (this.#sent.size < this.peer.inFlight) return true
    this.#held.add(request)
    return false
  }

  released(request: OutgoingRequest): void {
    this.#live.delete(request)
    this.#held.delete(request)
    this.#outbox.cancel(request)
  }

  send(message: Encoded): void {
    this.#outbox.send(message)
  }

  control(fields: readonly unknown[]): void {
    this.#outbox.control(fields)
  }

  acknowledge(id: unknown): void {
    this.#find(id).acknowledged = true
  }

  progress(id: unknown, progress: unknown): void {
    this.#find(id).progress(readProgress(progress))
  }

  result(id: unknown, value: unknown): void {
    const request = this.#find(id)
    if (!(request instanceof UnaryCall)) throw malformed('a result belongs to a call')
    this.#last(request)
    request.answered(value)
  }

  item(id: unknown, value: unknown): void {
    const request = this.#find(id)
    if (!(request instanceof StreamReader)) throw malformed('an item belongs to a stream')
    request.item(value)
  }

  end(id: unknown): void {
    const request = this.#find(id)
    if (!(request instanceof StreamReader)) throw malformed('an end belongs to a stream')
    this.#last(request)
    request.ended()
  }

  error(id: unknown, json: unknown): void {
    const request = this.#find(id)
    this.#last(request)
    request.settle(() => request.failed(decodeError(json)))
  }

  hung(): readonly string[] {
    const before = performance.now() - this.limits.ackMs
    return [...this.#live]
      .filter((one) => one.state === 'sent' && !one.acknowledged && one.sentAtMs < before)
      .map((one) => one.target)
  }

  /** The session has ended: nobody will answer any more. */
  close(cause: Error | undefined): void {
    this.#closed = cause ?? new Error('the session has ended')
    this.#deadlines.stop()
    this.#sent.clear()
    for (const request of this.#live) request.settle(() => request.failed(this.#closedError(request)))
  }

  #closedError(request: OutgoingRequest): Error {
    return rpcErrors.error('RPC_CLOSED', { target: request.target }, { cause: this.#closed })
  }

  #find(id: unknown): OutgoingRequest {
    const request = this.#sent.get(id as number)
    if (request === undefined) throw rpcErrors.error('RPC_OUT_OF_PROTOCOL', { problem: 'an answer to nothing that was asked' })
    request.acknowledged = true
    return request
  }

  /** The peer owes nothing more: the id is forgotten and the next held request has its turn. */
  #last(request: OutgoingRequest): void {
    this.#sent.delete(request.id)
    for (const next of this.#held) {
      if (this.#sent.size >= this.peer.inFlight) break
      this.#held.delete(next)
      this.#outbox.enqueue(next)
    }
  }

  /** Ends what is overdue and answers when to look again. */
  #expire(): number | undefined {
    const now = Date.now()
    let next: number | undefined
    for (const request of this.#live) {
      const at = request.deadlineAtMs
      if (at === undefined) continue
      if (at <= now) request.expire()
      else if (next === undefined || at < next) next = at
    }
    return next
  }
}

function readProgress(json: unknown): Progress {
  if (typeof json !== 'object' || json === null) throw malformed('progress must be an object')
  const { done, total, phase } = json as Record<string, unknown>
  if (typeof done !== 'number' || done < 0) throw malformed('progress must say how much is done')
  if (total !== undefined && typeof total !== 'number') throw malformed('the total of a progress must be a number')
  if (phase !== undefined && typeof phase !== 'string') throw malformed('the phase of a progress must be a string')
  return { done, ...(total === undefined ? {} : { total }), ...(phase === undefined ? {} : { phase }) }
}
