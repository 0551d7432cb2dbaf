import type { IncomingRequest } from './incoming-request.ts'
import { noParts } from './message.ts'
import type { Outbox } from './outbox.ts'

/** The producer's end of a stream: asks the handler for an item only when there is credit and room to send it. */
export class IncomingStream {
  readonly #request: IncomingRequest
  readonly #outbox: Outbox
  #credit: number
  #wake: (() => void) | undefined
  #iterator: AsyncIterator<unknown> | undefined
  #left: Promise<void> | undefined

  constructor(request: IncomingRequest, outbox: Outbox, credit: number) {
    this.#request = request
    this.#outbox = outbox
    this.#credit = credit
  }

  /** Never rejects. */
  async run(open: () => AsyncIterable<unknown>): Promise<void> {
    try {
      this.#iterator = open()[Symbol.asyncIterator]()
      while (!this.#request.aborted) {
        if (this.#credit === 0) await this.#pause()
        else if (!this.#outbox.writable) await this.#room()
        else if (await this.#sendNext(this.#iterator)) break
      }
      await this.#left
      this.#end()
    } catch (error) {
      await this.#left
      this.#request.fail(error)
    }
  }

  give(credit: number): void {
    this.#credit = Math.min(this.#credit + credit, Number.MAX_SAFE_INTEGER)
    this.#wake?.()
  }

  /** Lets the handler clean up; the last message goes when it has. */
  cancel(): void {
    this.#left ??= this.#leave()
    this.#wake?.()
  }

  /** True when that was the last. */
  async #sendNext(iterator: AsyncIterator<unknown>): Promise<boolean> {
    const step = await iterator.next()
    if (step.done === true) return true
    if (this.#request.aborted || this.#request.finished) return false
    this.#credit--
    const message = this.#request.encode('item', step.value)
    if (message === undefined) {
      await this.#leave()
      return true
    }
    // Other streams may have filled the transport while this item was made; then it waits for its turn, and `#room` behind it.
    this.#outbox.enqueue({ write: () => this.#outbox.send(message.text, message.parts) })
    return false
  }

  #end(): void {
    if (this.#request.finished) return
    this.#request.last({ text: JSON.stringify(['end', this.#request.id]), parts: noParts })
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Waits for its turn to write. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#outbox.enqueue({ write: resolve })
    })
  }

  /** What a handler throws while it cleans up has nobody to go to: the caller has left. */
  async #leave(): Promise<void> {
    try {
      await this.#iterator?.return?.()
    } catch {
      // See above.
    }
  }
}
