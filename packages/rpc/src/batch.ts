import { checkPresent } from './value-parts.ts'

/** A message with more than this in text and parts leaves alone: joining it would copy. */
export const aloneAt: number = 16 * 1024
/** A batch leaves when it has this much, so that the other side begins while this one goes on. */
const batchUnits = 16 * 1024
const partsPerBatch = 256

/** Writes one batch: the JSON text of an array of messages, and their parts. */
export type BatchWriter = (text: string, parts: readonly Uint8Array[]) => void

/** Gathers the small messages of a tick into one write. Large ones leave at once, after what was gathered before them. */
export class Batch {
  readonly #write: BatchWriter
  readonly #flush = (): void => this.flush()
  #text = ''
  #parts: Uint8Array[] = []
  #units = 0
  #scheduled = false

  constructor(write: BatchWriter) {
    this.#write = write
  }

  /** Errors: `RPC_VALUE_UNSUPPORTED` for a part that was handed over meanwhile. */
  add(text: string, parts: readonly Uint8Array[]): void {
    let units = text.length
    for (const part of parts) {
      checkPresent(part)
      units += part.byteLength
    }
    if (units > aloneAt) {
      this.flush()
      this.#write(`[${text}]`, parts)
      return
    }
    if (this.#units + units > batchUnits || this.#parts.length + parts.length > partsPerBatch) this.flush()
    this.#text += this.#units === 0 ? `[${text}` : `,${text}`
    this.#units += units
    // Copied: until the flush they would be their owner's to change.
    for (const part of parts) this.#parts.push(new Uint8Array(part))
    if (this.#scheduled) return
    this.#scheduled = true
    // Runs when all microtasks of the tick have: replies of async handlers still join.
    process.nextTick(this.#flush)
  }

  flush(): void {
    this.#scheduled = false
    if (this.#units === 0) return
    const text = `${this.#text}]`
    const parts = this.#parts
    this.#text = ''
    this.#parts = []
    this.#units = 0
    this.#write(text, parts)
  }
}
