import { Duplex } from 'node:stream'
import { RateGate } from '@backplane/rpc'

/** How fast HTTP/2 is read. */
export interface FrameRates {
  readonly framesPerSecond: number
  readonly requestsPerSecond: number
}

/** What every client says first, and a frame's head. Source: RFC 9113 §3.4, §4.1. */
const prefaceBytes = 24
const headBytes = 9
const typeAt = 3
const headersType = 1
/** Of a second's, how many may come at once: each costs its host some microseconds, a request some hundreds. */
const burstShare = 0.25
/** Between two helpings to one that is over its rate, ms. */
const helpingMs = 5

/**
 * A plugin's end of HTTP/2, read no faster than so many frames and requests a second: a frame of one byte costs its host
 * as much as one of thousands, so bytes alone are no measure. Whoever is faster waits, and nothing is lost or refused.
 * Owns the socket it stands for.
 */
export class MeteredFrames extends Duplex {
  readonly #socket: Duplex
  readonly #frames: RateGate
  readonly #requests: RateGate
  readonly #head = Buffer.alloc(headBytes)
  #headFilled = 0
  /** Of the frame, or the preface, that is passing. */
  #left = prefaceBytes
  /** Came, and may not pass yet. */
  #held: Buffer | undefined
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(socket: Duplex, { framesPerSecond, requestsPerSecond }: FrameRates) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#frames = new RateGate(framesPerSecond, Math.max(1, framesPerSecond * burstShare))
    this.#requests = new RateGate(requestsPerSecond, Math.max(1, requestsPerSecond * burstShare))
    socket.on('data', (chunk: Buffer) => this.#pass(chunk))
    socket.pause()
    socket.once('end', () => this.#end())
    socket.once('error', (error) => this.destroy(error))
    socket.once('close', () => this.destroy())
  }

  override _read(): void {
    if (this.#held === undefined) this.#socket.resume()
    else if (this.#timer === undefined) this.#pass(this.#held)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const last = chunks.length - 1
    this.#socket.cork()
    for (const [at, { chunk }] of chunks.entries()) this.#socket.write(chunk, at === last ? done : undefined)
    this.#socket.uncork()
  }

  override _final(done: () => void): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#held = undefined
    this.#socket.destroy()
    done(error)
  }

  #pass(chunk: Buffer): void {
    if (this.destroyed) return
    const end = this.#allowed(chunk)
    this.#held = end < chunk.length ? chunk.subarray(end) : undefined
    const wantsMore = end === 0 || this.push(end === chunk.length ? chunk : chunk.subarray(0, end))
    if (this.#held !== undefined) this.#wait()
    else if (this.#isOver) this.push(null)
    else if (!wantsMore) this.#socket.pause()
    else this.#socket.resume()
  }

  #wait(): void {
    this.#socket.pause()
    const ms = Math.max(helpingMs, this.#frames.waitMs(), this.#requests.waitMs())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#held !== undefined) this.#pass(this.#held)
    }, ms)
  }

  #end(): void {
    this.#isOver = true
    if (this.#held === undefined) this.push(null)
  }

  /** Up to where it may pass now. A head is held back but for its last byte, without which nobody acts on it. */
  #allowed(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at)
        this.#left -= skipped
        at += skipped
      } else {
        this.#head[this.#headFilled] = chunk[at] ?? 0
        if (this.#headFilled === headBytes - 1) {
          if (!this.#isPaid(this.#head[typeAt] ?? 0)) return at
          this.#left = this.#head.readUIntBE(0, typeAt)
        }
        this.#headFilled = (this.#headFilled + 1) % headBytes
        at += 1
      }
    }
    return at
  }

  #isPaid(type: number): boolean {
    if (this.#frames.waitMs() > 0 || (type === headersType && this.#requests.waitMs() > 0)) return false
    if (type === headersType) this.#requests.take(1)
    return this.#frames.take(1)
  }
}
