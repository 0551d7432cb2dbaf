import { Duplex } from 'node:stream'

/**
 * A stream that is given bytes only. An HTTP/2 stream takes several texts at once for what is in memory beside them
 * (Node 26.10), so whoever writes texts gets this in its place. Owns the stream it stands for.
 */
export class ByteStream extends Duplex {
  readonly #stream: Duplex

  constructor(stream: Duplex) {
    super({ allowHalfOpen: true })
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause()
    })
    stream.pause()
    stream.once('end', () => this.push(null))
    stream.once('close', () => this.destroy())
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#stream.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.destroy()
    done(error)
  }
}
