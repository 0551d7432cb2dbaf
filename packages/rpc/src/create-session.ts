import { PlatformError } from '@backplane/sdk'
import { decodeError, errorText } from './error-json.ts'
import { rpcErrors } from './errors.ts'
import { IncomingBatch, type NoticeMessage } from './incoming-batch.ts'
import { IncomingRequests } from './incoming-requests.ts'
import { peerLimits, withDefaults, type PeerLimits } from './limits.ts'
import { checkSize, encodeValue, malformed, noParts, sizeOf, wholeNumber } from './message.ts'
import { Outbox } from './outbox.ts'
import { UnaryCall } from './outgoing-call.ts'
import { OutgoingRequests } from './outgoing-requests.ts'
import { StreamReader } from './outgoing-stream.ts'
import { Pings } from './pings.ts'
import type { Channel, OutgoingCall, Session, SessionEnd, SessionLimits, SessionOptions } from './session.ts'
import { NoticeGate, Unasked } from './unasked.ts'

/** Version of the protocol this package speaks. */
export const protocolVersion = 1

/**
 * Makes a session on `channel` and says `hello` at once; requests wait until the peer has. The session owns the channel.
 * Errors: `RPC_LIMIT_INVALID`.
 */
export function createSession(channel: Channel, options: SessionOptions): Session {
  return new ChannelSession(channel, options)
}

const noOptions: OutgoingCall = {}
/** Of what a peer says about the end, this much goes into the message; the cause has it all. */
const longestReason = 500

class ChannelSession implements Session {
  readonly ended: Promise<SessionEnd>
  readonly #channel: Channel
  readonly #options: SessionOptions
  readonly #limits: SessionLimits
  readonly #outbox: Outbox
  readonly #outgoing: OutgoingRequests
  readonly #incoming: IncomingRequests
  readonly #pings: Pings
  readonly #unasked: Unasked
  /** What the peer takes of notices; before its `hello` they wait. */
  #notices: NoticeGate | undefined
  readonly #settleEnd: (end: SessionEnd) => void
  #open = true

  constructor(channel: Channel, options: SessionOptions) {
    const { promise, resolve } = Promise.withResolvers<SessionEnd>()
    this.ended = promise
    this.#settleEnd = resolve
    this.#channel = channel
    this.#options = options
    this.#limits = withDefaults(options.limits)
    this.#outbox = new Outbox(channel)
    this.#outgoing = new OutgoingRequests(this.#outbox, this.#limits)
    this.#incoming = new IncomingRequests(options.handler, this.#outbox, this.#limits)
    this.#pings = new Pings(this.#outbox)
    this.#unasked = new Unasked(this.#limits)
    const { messageBytes, depth, inFlight, inFlightBytes, noticeBytesPerSecond, noticeBurstBytes } = this.#limits
    channel.receive({ message: (text, parts) => this.#receive(text, parts), closed: (error) => this.#lost(error) }, this.#limits)
    const told: PeerLimits = { messageBytes, depth, inFlight, inFlightBytes, noticeBytesPerSecond, noticeBurstBytes }
    this.#outbox.control(['hello', protocolVersion, told])
  }

  call(target: string, value: unknown, options: OutgoingCall = noOptions): Promise<unknown> {
    return new UnaryCall(this.#outgoing, { target, value, options }).answer
  }

  stream(target: string, value: unknown, options: OutgoingCall = noOptions): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => new StreamReader(this.#outgoing, { target, value, options }) }
  }

  notify(target: string, value: unknown): boolean {
    const { text: field, parts } = encodeValue(value, this.#limits.depth)
    const text = `["notice",${JSON.stringify(target)}${field}]`
    checkSize(text, parts, (this.#outbox.peer ?? this.#limits).messageBytes)
    if (!this.#open || this.#outbox.waiting > this.#limits.inFlight) return false
    if (this.#notices?.admits(sizeOf(text, parts)) === false) return false
    this.#outbox.enqueue({ write: () => this.#outbox.send(text, parts) })
    return true
  }

  ping(deadlineMs: number): Promise<void> {
    return this.#pings.ping(deadlineMs)
  }

  hung(): readonly string[] {
    return this.#outgoing.hung()
  }

  abandoned(forMs: number): number {
    return this.#outgoing.abandoned(forMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end({ kind: 'closed' }, undefined)
    await this.#channel.close()
  }

  #receive(text: string, parts: readonly Uint8Array[]): void {
    try {
      if (this.#unasked.refuses(text, parts)) return this.#options.handler.dropped?.()
      const batch = new IncomingBatch(text, parts, this.#options.trustsPeer === true ? undefined : this.#limits.depth)
      this.#unasked.count(batch.messages, text, parts)
      for (const message of batch.messages) {
        this.#dispatch(message, batch)
        if (!this.#open) return
      }
      batch.checkUsed()
    } catch (error) {
      this.#violated(error instanceof PlatformError ? error : malformed('it could not be handled', error))
    }
  }

  #dispatch(message: readonly unknown[], batch: IncomingBatch): void {
    const kind = message[0]
    const id = message[1]
    if ((this.#outbox.peer === undefined) !== (kind === 'hello')) {
      throw rpcErrors.error('RPC_OUT_OF_PROTOCOL', { problem: 'hello comes first and once' })
    }
    switch (kind) {
      case 'hello':
        return this.#hello(message)
      case 'call':
        return this.#incoming.call(batch.request(message, 6))
      case 'stream':
        return this.#incoming.stream(batch.request(message, 7), wholeNumber(message[6], 'credit', 1))
      case 'cancel':
        return this.#incoming.cancel(id, message[2])
      case 'credit':
        return this.#incoming.credit(id, message[2])
      case 'notice':
        return this.#notice(batch.notice(message))
      case 'ack':
        for (const one of message.slice(1)) this.#outgoing.acknowledge(one)
        return
      case 'progress':
        return this.#outgoing.progress(id, message[2])
      case 'result':
        return this.#outgoing.result(id, batch.value(message, 2))
      case 'item':
        return this.#outgoing.item(id, batch.value(message, 2))
      case 'end':
        return this.#outgoing.end(id)
      case 'error':
        return this.#outgoing.error(id, message[2])
      case 'ping':
        return this.#pings.asked(id)
      case 'pong':
        return this.#pings.answered(id)
      case 'goodbye':
        return this.#goodbye(message[1])
      default:
        throw malformed('its kind is unknown')
    }
  }

  #hello(message: readonly unknown[]): void {
    if (message[1] !== protocolVersion) {
      throw rpcErrors.error('RPC_VERSION', { theirs: String(message[1]), ours: protocolVersion })
    }
    const peer = peerLimits(message[2])
    if (peer === undefined) throw malformed('the limits of hello are not legal')
    this.#notices = new NoticeGate(peer)
    this.#outbox.open(peer)
  }

  #notice({ target, value, bytes }: NoticeMessage): void {
    const { handler } = this.#options
    if (!this.#unasked.admits(bytes)) return handler.dropped?.()
    try {
      const settled: unknown = handler.notice?.(target, value)
      if (settled instanceof Promise) settled.catch(() => {})
    } catch {
      // There is nobody to tell; Handler.notice says so.
    }
  }

  #goodbye(reason: unknown): void {
    if (reason === undefined) return this.#end({ kind: 'closed' }, undefined)
    const cause = decodeError(reason)
    const error = rpcErrors.error('RPC_PEER_REFUSED', { reason: cause.message.slice(0, longestReason) }, { cause })
    this.#end({ kind: 'violated', error }, undefined)
  }

  #lost(error: PlatformError | undefined): void {
    if (error === undefined) this.#end({ kind: 'lost' }, undefined)
    else this.#violated(error)
  }

  #violated(error: PlatformError): void {
    this.#end({ kind: 'violated', error }, error)
  }

  #end(end: SessionEnd, tell: Error | undefined): void {
    if (!this.#open) return
    this.#open = false
    const cause = end.kind === 'violated' ? end.error : undefined
    const why = tell === undefined ? '' : `,${errorText(tell, this.#outbox.peer ?? this.#limits)}`
    this.#outbox.send(`["goodbye"${why}]`, noParts)
    this.#outbox.close()
    this.#outgoing.close(cause)
    this.#incoming.close(cause)
    this.#pings.close(cause)
    this.#settleEnd(end)
    void this.#channel.close()
  }
}
