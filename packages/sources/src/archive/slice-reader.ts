/** Reads a stream of slices in pieces of the reader's own choice. Disposing ends the stream. */
export class SliceReader {
  readonly #slices: AsyncGenerator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(slices: AsyncGenerator<Uint8Array>) {
    this.#slices = slices
  }

  /** The next bytes, at least one and at most so many; undefined at the end. Views of what the stream gave. */
  async some(mostBytes: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#slices.next()
      if (done === true) return undefined
      this.#rest = value
    }
    const taken = this.#rest.subarray(0, mostBytes)
    this.#rest = this.#rest.subarray(taken.length)
    return taken
  }

  /** Exactly so many bytes; fewer when the stream ends. */
  async exactly(sizeBytes: number): Promise<Uint8Array> {
    const first = (await this.some(sizeBytes)) ?? new Uint8Array()
    if (first.length === sizeBytes) return first
    const whole = new Uint8Array(sizeBytes)
    whole.set(first)
    let length = first.length
    while (length < sizeBytes) {
      const more = await this.some(sizeBytes - length)
      if (more === undefined) return whole.subarray(0, length)
      whole.set(more, length)
      length += more.length
    }
    return whole
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#slices.return(undefined)
  }
}
