import type { Progress } from '@backplane/sdk'
import { closedError } from './closed-error.ts'
import { decodeError } from './error-json.ts'
import { rpcErrors } from './errors.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { inFlightBytesOf, type PeerLimits } from './limits.ts'
import { IdTable } from './id-table.ts'
import { malformed } from './message.ts'
import type { Outbox } from './outbox.ts'
import { UnaryCall } from './outgoing-call.ts'
import type { OutgoingRequest, OutgoingTable } from './outgoing-request.ts'
import { StreamReader } from './outgoing-stream.ts'
import { RequestHeadWriter } from './request-head-writer.ts'
import type { SessionLimits } from './session.ts'
import { TickClock } from './tick-clock.ts'

/** All requests of this side: which wait, which are sent, and what each incoming answer belongs to. */
export class OutgoingRequests implements OutgoingTable {
  readonly limits: SessionLimits
  readonly heads: RequestHeadWriter = new RequestHeadWriter()
  readonly #outbox: Outbox
  /** The peer still owes the last message of these. */
  readonly #sent = new IdTable<OutgoingRequest>()
  /** Not sent yet: the transport is congested, or the peer takes no more for now. */
  readonly #held = new Set<OutgoingRequest>()
  readonly #deadlines = new DeadlineTimer(() => this.#expire())
  readonly #clock = new TickClock()
  #sentBytes = 0
  #advancing = false
  #lastId = 0
  #closed: { readonly cause: Error | undefined } | undefined

  constructor(outbox: Outbox, limits: SessionLimits) {
    this.#outbox = outbox
    this.limits = limits
  }

  get peer(): PeerLimits {
    return this.#outbox.peer ?? this.limits
  }

  closed(target: string): Error | undefined {
    return this.#closed === undefined ? undefined : closedError(target, this.#closed.cause)
  }

  start(request: OutgoingRequest): void {
    if (request.deadlineAtMs !== undefined) this.#deadlines.arm(request.deadlineAtMs)
    const { writable } = this.#outbox
    if (writable && this.admits(request)) return request.write()
    this.#held.add(request)
    // While the outbox is not writable it keeps the order; afterwards those before this one come first.
    if (!writable) this.#outbox.enqueue(request)
  }

  sent(request: OutgoingRequest): void {
    if (this.#held.size > 0) this.#held.delete(request)
    request.id = ++this.#lastId
    request.sentAtMs = this.#clock.nowMs
    this.#sent.add(request)
    this.#sentBytes += request.bytes
  }

  withdraw(request: OutgoingRequest): void {
    this.#held.delete(request)
    this.#outbox.cancel(request)
    this.#advance()
  }

  send(text: string, parts: readonly Uint8Array[]): void {
    this.#outbox.send(text, parts)
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
    request.fail(decodeError(json))
  }

  hung(): readonly string[] {
    const before = performance.now() - this.limits.ackMs
    const hung = this.#sent.values().filter((one) => one.state === 'sent' && !one.acknowledged && one.sentAtMs < before)
    return hung.map((one) => one.target)
  }

  abandoned(forMs: number): number {
    const before = performance.now() - forMs
    let count = 0
    for (const { state, abandonedAtMs } of this.#sent.values()) if (state === 'abandoned' && abandonedAtMs <= before) count += 1
    return count
  }

  /** The session has ended: nobody will answer any more. */
  close(cause: Error | undefined): void {
    this.#closed = { cause }
    this.#deadlines.stop()
    for (const request of [...this.#held, ...this.#sent.values()]) {
      request.fail(closedError(request.target, cause))
    }
    this.#sent.clear()
  }

  admits(request: OutgoingRequest): boolean {
    if (this.#held.size > 0 && this.#held.values().next().value !== request) return false
    if (this.#sent.size === 0) return true
    return this.#sent.size < this.peer.inFlight && this.#sentBytes + request.bytes <= inFlightBytesOf(this.peer)
  }

  #find(id: unknown): OutgoingRequest {
    const request = this.#sent.get(id as number)
    if (request === undefined) throw rpcErrors.error('RPC_OUT_OF_PROTOCOL', { problem: 'an answer to nothing that was asked' })
    request.acknowledged = true
    return request
  }

  /** The peer owes nothing more: the id is forgotten. */
  #last(request: OutgoingRequest): void {
    this.#sent.delete(request.id)
    this.#sentBytes -= request.bytes
    this.#advance()
  }

  /** Held requests that may go now, go. One that fails instead of being sent comes back here, and the loop goes on. */
  #advance(): void {
    if (this.#advancing || this.#closed !== undefined) return
    this.#advancing = true
    for (const next of this.#held) {
      if (!this.admits(next)) break
      this.#outbox.enqueue(next)
    }
    this.#advancing = false
  }

  /** Ends what is overdue and answers when to look again. */
  #expire(): number | undefined {
    const now = Date.now()
    let next: number | undefined
    for (const request of [...this.#held, ...this.#sent.values()]) {
      const at = request.deadlineAtMs
      if (at === undefined || (request.state !== 'sent' && request.state !== 'held')) continue
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
