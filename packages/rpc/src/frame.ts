import { rpcErrors } from './errors.ts'
import { markReceived } from './own-bytes.ts'
import { partsPerMessage } from './value-parts.ts'

/*
 * A frame: four big-endian unsigned 32-bit words and what they measure.
 *
 *   N   bytes that follow this word
 *   C   bytes of control text
 *   S   number of sections
 *   L × S   bytes of each section
 *   control text, UTF-8
 *   the sections, one after the other
 */

const wordBytes = 4

/** Bytes before the control text, the length word included. */
function headBytes(sections: number): number {
  return wordBytes * (3 + sections)
}

/** The head and control text of a frame; the sections follow it on the wire. */
export function encodeFrame(text: string, sections: readonly Uint8Array[]): Buffer {
  const control = Buffer.byteLength(text)
  const head = headBytes(sections.length)
  const frame = Buffer.allocUnsafe(head + control)
  let total = head - wordBytes + control
  let at = 3 * wordBytes
  for (const section of sections) {
    at = frame.writeUInt32BE(section.byteLength, at)
    total += section.byteLength
  }
  frame.writeUInt32BE(total, 0)
  frame.writeUInt32BE(control, wordBytes)
  frame.writeUInt32BE(sections.length, 2 * wordBytes)
  frame.write(text, head)
  return frame
}

/** Receives each complete frame. */
export type FrameListener = (text: string, sections: readonly Uint8Array[]) => void

/** Cuts a stream of bytes into frames. `push` throws for the first frame that breaks the rules; do not push after. */
export class FrameReader {
  readonly #limitBytes: number
  readonly #listener: FrameListener
  readonly #word = Buffer.alloc(wordBytes)
  #wordFilled = 0
  /** Set while a frame is incomplete. */
  #body: Buffer | undefined
  #filled = 0
  #stopped = false
  #frames = 0

  constructor(limitBytes: number, listener: FrameListener) {
    this.#limitBytes = limitBytes
    this.#listener = listener
  }

  /** How many were complete. */
  get frames(): number {
    return this.#frames
  }

  /** True between the first byte of a frame and its last. */
  get partial(): boolean {
    return this.#wordFilled > 0
  }

  /** The rest of the bytes, and all that follow, are ignored. */
  stop(): void {
    this.#stopped = true
  }

  /** `chunk` may be reused by its owner afterwards. Errors: `RPC_BAD_FRAME`, `RPC_MESSAGE_TOO_LARGE`. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#stopped) {
      if (this.#body === undefined) at = this.#begin(chunk, at)
      else at = this.#continue(this.#body, chunk, at)
    }
  }

  #begin(chunk: Buffer, start: number): number {
    const copied = chunk.copy(this.#word, this.#wordFilled, start, start + wordBytes - this.#wordFilled)
    this.#wordFilled += copied
    const at = start + copied
    if (this.#wordFilled < wordBytes) return at
    const length = this.#word.readUInt32BE(0)
    if (length > this.#limitBytes) throw rpcErrors.error('RPC_MESSAGE_TOO_LARGE', { bytes: length, limit: this.#limitBytes })
    if (length < 2 * wordBytes) throw malformed('it is shorter than its head')
    if (chunk.length - at >= length) {
      this.#wordFilled = 0
      this.#deliver(chunk.subarray(at, at + length), true)
      return at + length
    }
    // Not zeroed: pages nobody fills cost nothing, and only filled bytes are ever read.
    this.#body = Buffer.allocUnsafeSlow(length)
    this.#filled = 0
    return at
  }

  #continue(body: Buffer, chunk: Buffer, start: number): number {
    const copied = chunk.copy(body, this.#filled, start)
    this.#filled += copied
    if (this.#filled === body.length) {
      this.#body = undefined
      this.#wordFilled = 0
      this.#deliver(body, false)
    }
    return start + copied
  }

  #deliver(body: Buffer, borrowed: boolean): void {
    const control = body.readUInt32BE(0)
    const count = body.readUInt32BE(wordBytes)
    if (count > partsPerMessage) throw malformed('it has too many sections')
    const head = headBytes(count) - wordBytes
    if (head > body.length) throw malformed('it is shorter than its head')
    let at = head + control
    const sections: Uint8Array[] = []
    for (let index = 0; index < count; index++) {
      const length = body.readUInt32BE((2 + index) * wordBytes)
      if (at + length > body.length) throw malformed('its sections are longer than itself')
      sections.push(bytesOf(body, at, length, borrowed))
      at += length
    }
    if (at !== body.length) throw malformed('its lengths do not add up')
    if (!borrowed && count === 1) markReceived(body.buffer)
    this.#frames++
    this.#listener(textOf(body.subarray(head, head + control)), sections)
  }
}

function bytesOf(body: Buffer, start: number, length: number, borrowed: boolean): Uint8Array {
  const view = new Uint8Array(body.buffer, body.byteOffset + start, length)
  return borrowed ? view.slice() : view
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Buffer): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw malformed('its control text is not UTF-8')
  }
}

function malformed(problem: string): Error {
  return rpcErrors.error('RPC_BAD_FRAME', { problem })
}
