// oxlint-disable unicorn/require-post-message-target-origin -- a port has no origin
import type { PlatformError } from '@backplane/sdk'
import type { MessagePort } from 'node:worker_threads'
import { Batch } from './batch.ts'
import { rpcErrors } from './errors.ts'
import { sizeOf } from './message.ts'
import { isWhole } from './own-bytes.ts'
import type { Channel, ChannelListener, SessionLimits } from './session.ts'
import { partsPerMessage } from './value-parts.ts'
import { Waiters } from './waiters.ts'

/** A `MessagePort`, a worker's `parentPort`, or anything that behaves like them. */
export type Port = Pick<MessagePort, 'postMessage' | 'on' | 'off'> & { readonly close?: () => void }

/** Unread beyond this makes the channel congested. */
const highWaterBytes = 8 * 1024 * 1024
/**
 * Unread beyond this and one message ends the session: a sender that keeps to the high water never gets there, and all of
 * it is dealt with in one turn.
 */
const mostUnreadBytes = 2 * highWaterBytes
/** Each message counts so much more than it holds: without end, empty ones are as much work as large ones. */
const messageOverheadBytes = 1024
/** How often a reader says how much it has read; must be below the high water. */
const reportEveryBytes = 4 * 1024 * 1024
/** Smaller parts are copied: a transfer costs more. */
const transferAtBytes = 16 * 1024

/**
 * The channel over a MessagePort. A batch is posted as its text, or as `[text, ...parts]`; a number says how many
 * bytes were read since the last one, because a port itself never says that its peer does not read. All messages that wait
 * in a port are handed over in one turn, so whoever sends far ahead of what was read is cut off.
 */
export function portChannel(port: Port): Channel {
  return new PortChannel(port)
}

class PortChannel implements Channel {
  readonly #port: Port
  readonly #batch = new Batch((text, parts) => this.#post(text, parts))
  readonly #drained = new Waiters()
  /** `ending`: nothing is read any more, the last words may still be sent. */
  #state: 'open' | 'ending' | 'closed' = 'open'
  #listener: ChannelListener | undefined
  #messageBytes = 0
  /** Posted, and the peer has not said that it read it. */
  #unreadBytes = 0
  /** Read, and the peer has not been told. */
  #unreportedBytes = 0
  #reporting = false

  constructor(port: Port) {
    this.#port = port
  }

  receive(listener: ChannelListener, limits: SessionLimits): void {
    this.#listener = listener
    this.#messageBytes = limits.messageBytes
    this.#port.on('close', this.#onClose)
    this.#port.on('messageerror', this.#onMessageError)
    this.#port.on('message', this.#onMessage)
  }

  send(text: string, parts: readonly Uint8Array[]): void {
    if (this.#state !== 'closed') this.#batch.add(text, parts)
  }

  get congested(): boolean {
    return this.#unreadBytes > highWaterBytes
  }

  drained(): Promise<void> {
    return this.congested && this.#state === 'open' ? this.#drained.wait() : Promise.resolve()
  }

  close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#batch.flush()
      this.#state = 'closed'
      this.#port.off('message', this.#onMessage)
      this.#port.off('messageerror', this.#onMessageError)
      this.#port.off('close', this.#onClose)
      this.#port.close?.()
      this.#drained.wake()
    }
    return Promise.resolve()
  }

  readonly #onClose = (): void => this.#end(undefined)

  readonly #onMessageError = (): void => this.#end(rpcErrors.error('RPC_BAD_FRAME', { problem: 'it cannot be read here' }))

  readonly #onMessage = (message: unknown): void => {
    if (this.#state !== 'open') return
    if (typeof message === 'string') return this.#deliver(message, [])
    if (typeof message === 'number') return this.#read(message)
    if (!Array.isArray(message) || message.length < 2 || message.length > 1 + partsPerMessage) return this.#malformed()
    const [text, ...parts] = message as unknown[]
    if (typeof text === 'string' && parts.every(isOwnBytes)) this.#deliver(text, parts)
    else this.#malformed()
  }

  #deliver(text: string, parts: readonly Uint8Array[]): void {
    const size = sizeOf(text, parts)
    if (size > this.#messageBytes) {
      return this.#end(rpcErrors.error('RPC_MESSAGE_TOO_LARGE', { bytes: size, limit: this.#messageBytes }))
    }
    if (this.#count(size)) this.#listener?.message(text, parts)
  }

  /** False when the peer is too far ahead. */
  #count(size: number): boolean {
    this.#unreportedBytes += size + messageOverheadBytes
    const limit = mostUnreadBytes + this.#messageBytes
    if (this.#unreportedBytes > limit) {
      this.#end(rpcErrors.error('RPC_TOO_FAR_AHEAD', { limit }))
      return false
    }
    if (this.#unreportedBytes >= reportEveryBytes && !this.#reporting) {
      this.#reporting = true
      setImmediate(this.#report)
    }
    return true
  }

  /** What was read is told in a turn of its own: told at once, a fast peer could go on in this one for ever. */
  readonly #report = (): void => {
    this.#reporting = false
    if (this.#state !== 'open') return
    const bytes = this.#unreportedBytes
    this.#unreportedBytes = 0
    this.#unreadBytes += messageOverheadBytes
    this.#port.postMessage(bytes)
  }

  #read(bytes: number): void {
    if (!this.#count(0)) return
    if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > this.#unreadBytes) return this.#malformed()
    this.#unreadBytes -= bytes
    if (!this.congested) this.#drained.wake()
  }

  #post(text: string, parts: readonly Uint8Array[]): void {
    this.#unreadBytes += sizeOf(text, parts) + messageOverheadBytes
    if (parts.length === 0) return this.#port.postMessage(text)
    const own = ownBuffers(parts)
    const large = own.filter((part) => part.byteLength >= transferAtBytes)
    try {
      this.#port.postMessage([text, ...own], large.map(bufferOf))
    } catch {
      // Some buffers, such as the memory of a WebAssembly instance, cannot be transferred and do not say so before.
      this.#port.postMessage([text, ...own.map((part) => new Uint8Array(part))])
    }
  }

  #malformed(): void {
    this.#end(rpcErrors.error('RPC_BAD_FRAME', { problem: 'a port message must be a text, [text, ...parts] or a number' }))
  }

  /** Tells the session, which says its last words and closes. */
  #end(error: PlatformError | undefined): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#drained.wake()
    this.#listener?.closed(error)
  }
}

/**
 * A part must be the whole of a buffer nobody else sees: cloning a view would copy the rest, transferring it would take
 * the rest, and a buffer cannot be transferred twice.
 */
function ownBuffers(parts: readonly Uint8Array[]): Uint8Array[] {
  const taken = new Set<ArrayBufferLike>()
  return parts.map((part) => {
    const own = isWhole(part) && !taken.has(part.buffer) ? part : new Uint8Array(part)
    taken.add(own.buffer)
    return own
  })
}

function bufferOf(part: Uint8Array): ArrayBuffer {
  return part.buffer as ArrayBuffer
}

function isOwnBytes(part: unknown): part is Uint8Array {
  return part instanceof Uint8Array && part.buffer instanceof ArrayBuffer && part.buffer.byteLength === part.byteLength
}
