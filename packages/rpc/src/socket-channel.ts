import { Socket, type OnReadOpts } from 'node:net'
import type { PlatformError } from '@backplane/sdk'
import { Batch } from './batch.ts'
import { rpcErrors } from './errors.ts'
import { encodeFrame, FrameReader } from './frame.ts'
import type { Channel, ChannelListener, SessionLimits } from './session.ts'

/** Queued beyond this makes the channel congested. */
const highWaterBytes = 1024 * 1024
const readBufferBytes = 1024 * 1024
/** Sections up to this are copied behind their head: one write instead of several. */
const copySectionBytes = 16 * 1024
/** Longest a close waits for queued bytes to leave. */
const closeMs = 1_000

/** The channel over a connected socket, such as the parent's end of a child's `pipe` slot. */
export function socketChannel(socket: Socket): Channel {
  return new SocketChannel(() => {
    return socket
  })
}

/**
 * The channel over an inherited descriptor: the child's end. Reads into one reusable buffer, which a socket somebody
 * else made cannot.
 */
export function descriptorChannel(fd: number): Channel {
  return new SocketChannel((onread) => new Socket({ fd, readable: true, writable: true, onread }))
}

class SocketChannel implements Channel {
  readonly #open: (onread: OnReadOpts) => Socket
  readonly #batch = new Batch((text, parts) => this.#write(text, parts))
  #socket: Socket | undefined
  #listener: ChannelListener | undefined
  #reader: FrameReader | undefined
  #partialTimer: NodeJS.Timeout | undefined
  #partialFrameMs = 0
  #frames = 0
  #state: 'open' | 'closing' | 'closed' = 'open'
  readonly #drained = new Set<() => void>()
  readonly #gone = Promise.withResolvers<void>()

  constructor(open: (onread: OnReadOpts) => Socket) {
    this.#open = open
  }

  receive(listener: ChannelListener, limits: SessionLimits): void {
    this.#listener = listener
    this.#partialFrameMs = limits.partialFrameMs
    this.#reader = new FrameReader(limits.messageBytes, (text, sections) => {
      this.#frames++
      listener.message(text, sections)
    })
    const buffer = Buffer.allocUnsafeSlow(readBufferBytes)
    const socket = this.#open({
      buffer,
      callback: (length) => {
        this.#read(buffer.subarray(0, length))
        return true
      },
    })
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('drain', () => this.#wake())
    // What went wrong with the transport (reset, broken pipe) tells nothing beyond that the peer is gone.
    socket.on('error', () => {})
    socket.on('end', () => this.#end(undefined))
    socket.on('close', () => {
      this.#end(undefined)
      this.#gone.resolve()
    })
  }

  send(text: string, parts: readonly Uint8Array[]): void {
    if (this.#state === 'open') this.#batch.add(text, parts)
  }

  get congested(): boolean {
    return (this.#socket?.writableLength ?? 0) > highWaterBytes
  }

  drained(): Promise<void> {
    if (!this.congested || this.#state !== 'open') return Promise.resolve()
    return new Promise((resolve) => this.#drained.add(resolve))
  }

  close(): Promise<void> {
    this.#batch.flush()
    this.#end(undefined)
    if (this.#socket === undefined) this.#gone.resolve()
    return this.#gone.promise
  }

  #read(chunk: Buffer): void {
    if (this.#state !== 'open' || this.#reader === undefined) return
    try {
      this.#reader.push(chunk)
    } catch (error) {
      return this.#end(error as PlatformError)
    }
    if (this.#reader.partial) this.#watchPartial()
  }

  /** One timer looks from time to time whether the same frame is still incomplete. */
  #watchPartial(): void {
    if (this.#partialTimer !== undefined) return
    const frames = this.#frames
    this.#partialTimer = setTimeout(() => {
      this.#partialTimer = undefined
      if (this.#reader?.partial !== true) return
      if (this.#frames === frames) this.#end(rpcErrors.error('RPC_PARTIAL_FRAME', { limit: this.#partialFrameMs }))
      else this.#watchPartial()
    }, this.#partialFrameMs)
    this.#partialTimer.unref()
  }

  #write(text: string, parts: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (socket === undefined) return
    const head = encodeFrame(text, parts)
    if (parts.length === 0) {
      socket.write(head)
      return
    }
    if (parts.every((part) => part.byteLength <= copySectionBytes)) {
      socket.write(Buffer.concat([head, ...parts]))
      return
    }
    socket.cork()
    socket.write(head)
    for (const part of parts) if (part.byteLength > 0) socket.write(part)
    socket.uncork()
  }

  #end(error: PlatformError | undefined): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    clearTimeout(this.#partialTimer)
    this.#reader?.stop()
    this.#wake()
    this.#listener?.closed(error)
    this.#batch.flush()
    this.#socket?.destroySoon()
    setTimeout(() => this.#socket?.destroy(), closeMs).unref()
  }

  #wake(): void {
    for (const resolve of this.#drained) resolve()
    this.#drained.clear()
  }
}
