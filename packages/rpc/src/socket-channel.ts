import { Socket } from 'node:net'
import type { PlatformError } from '@backplane/sdk'
import { Batch } from './batch.ts'
import { rpcErrors } from './errors.ts'
import { encodeFrame, FrameReader } from './frame.ts'
import { free, takeOver } from './own-bytes.ts'
import type { Channel, ChannelListener, SessionLimits } from './session.ts'
import { Waiters } from './waiters.ts'

/** Queued beyond this makes the channel congested. */
const highWaterBytes = 4 * 1024 * 1024
/** Sections up to this are copied behind their head: one write instead of several. */
const copySectionBytes = 16 * 1024
/** Longest a close waits for queued bytes to leave. */
const closeMs = 1_000
/** One read takes as much as a megabyte: large sections need far fewer of them. */
export const readBufferBytes: number = 1024 * 1024

/** Starts reading: every chunk goes to `read`, which is done with it when it returns. */
export type OpenSocket = (read: (chunk: Buffer) => void) => Socket

/** The channel over a connected socket that somebody else made, such as the parent's end of a child's `pipe` slot. */
export function socketChannel(socket: Socket): Channel {
  return new SocketChannel((read) => socket.on('data', read))
}

/**
 * The channel over an inherited descriptor: the child's end. Opened when the session is made. Large parts it sends are
 * taken over, as a port takes them, and freed once they are written.
 */
export function descriptorChannel(fd: number): Channel {
  const open: OpenSocket = (read) => {
    const buffer = Buffer.allocUnsafeSlow(readBufferBytes)
    const callback = (length: number): true => {
      read(buffer.subarray(0, length))
      return true
    }
    return new Socket({ fd, readable: true, writable: true, onread: { buffer, callback } })
  }
  return new SocketChannel(open, { takesOver: true })
}

/** Frames over a socket. */
export class SocketChannel implements Channel {
  readonly #open: OpenSocket
  readonly #takesOver: boolean
  readonly #batch = new Batch((text, parts) => this.#write(text, parts))
  readonly #drained = new Waiters()
  readonly #gone = Promise.withResolvers<void>()
  /** `ending`: nothing is read any more, the last words may still be sent. */
  #state: 'open' | 'ending' | 'closed' = 'open'
  #socket: Socket | undefined
  #listener: ChannelListener | undefined
  #reader: FrameReader | undefined
  #partialTimer: NodeJS.Timeout | undefined
  #partialFrameMs = 0

  constructor(open: OpenSocket, { takesOver = false }: { readonly takesOver?: boolean } = {}) {
    this.#open = open
    this.#takesOver = takesOver
  }

  receive(listener: ChannelListener, limits: SessionLimits): void {
    this.#listener = listener
    this.#partialFrameMs = limits.partialFrameMs
    this.#reader = new FrameReader(limits.messageBytes, listener.message)
    const socket = this.#open((chunk) => this.#read(chunk))
    this.#socket = socket
    socket.on('drain', () => this.#drained.wake())
    // How the transport failed (reset, broken pipe) tells nothing beyond that the peer is gone; `close` follows.
    socket.on('error', () => {})
    socket.on('end', () => this.#end(undefined))
    socket.on('close', () => this.#closed())
    socket.resume()
    if (socket.destroyed) queueMicrotask(() => this.#closed())
  }

  send(text: string, parts: readonly Uint8Array[]): void {
    if (this.#state !== 'closed') this.#batch.add(text, parts)
  }

  get congested(): boolean {
    return (this.#socket?.writableLength ?? 0) > highWaterBytes
  }

  drained(): Promise<void> {
    return this.congested && this.#state === 'open' ? this.#drained.wait() : Promise.resolve()
  }

  close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#batch.flush()
      this.#state = 'closed'
      this.#stopReading()
      // Not destroyed at once: a write of the peer's would then fail before it has read our last words.
      this.#socket?.end()
      const timer = setTimeout(() => this.#socket?.destroy(), closeMs)
      void this.#gone.promise.then(() => clearTimeout(timer))
      if (this.#socket === undefined) this.#gone.resolve()
    }
    return this.#gone.promise
  }

  #read(chunk: Buffer): void {
    if (this.#state !== 'open' || this.#reader === undefined) return
    try {
      this.#reader.push(chunk)
    } catch (error) {
      return this.#end(error as PlatformError)
    }
    if (this.#reader.partial && this.#state === 'open') this.#watchPartial(this.#reader)
  }

  /** One timer looks from time to time whether the same frame is still incomplete. */
  #watchPartial(reader: FrameReader): void {
    if (this.#partialTimer !== undefined) return
    const { frames } = reader
    this.#partialTimer = setTimeout(() => {
      this.#partialTimer = undefined
      if (!reader.partial) return
      if (reader.frames === frames) this.#end(rpcErrors.error('RPC_PARTIAL_FRAME', { limit: this.#partialFrameMs }))
      else this.#watchPartial(reader)
    }, this.#partialFrameMs)
    this.#partialTimer.unref()
  }

  #write(text: string, parts: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (socket === undefined || !socket.writable) return
    const head = encodeFrame(text, parts)
    if (parts.every((part) => part.byteLength <= copySectionBytes)) {
      socket.write(parts.length === 0 ? head : Buffer.concat([head, ...parts]))
      return
    }
    socket.cork()
    socket.write(head)
    for (const part of parts) if (part.byteLength > 0) this.#writePart(socket, part)
    socket.uncork()
  }

  #writePart(socket: Socket, part: Uint8Array): void {
    const own = this.#takesOver ? takeOver(part) : part
    socket.write(own, () => {
      if (own !== part) free(own)
      this.#written()
    })
  }

  /** Earlier than `drain`, which waits until nothing at all is queued. */
  readonly #written = (): void => {
    if (!this.congested) this.#drained.wake()
  }

  /** Tells the session, which says its last words and closes. */
  #end(error: PlatformError | undefined): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#stopReading()
    this.#listener?.closed(error)
  }

  #stopReading(): void {
    clearTimeout(this.#partialTimer)
    this.#reader?.stop()
    this.#drained.wake()
  }

  #closed(): void {
    this.#end(undefined)
    this.#gone.resolve()
  }
}
