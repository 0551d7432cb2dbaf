import { blockBytes, type Block, type BlockPool } from './block-pool.ts'

/** Takes the blocks of one disk in order. All but the last are full, so each begins at a multiple of the block size. */
export interface BlockTarget {
  /** Takes the block over. Throws what went wrong with an earlier one. */
  readonly data: (block: Block, length: number) => void
  /** A multiple of the block size, except at the very end. */
  readonly zeros: (length: number) => Promise<void>
}

/**
 * Makes aligned blocks of bytes that come in any size. Waits for a free block, which is how a slow disk holds back who
 * brings the bytes.
 */
export class BlockAssembler {
  readonly #pool: BlockPool
  readonly #target: BlockTarget
  readonly #onHead: (bytes: Buffer) => void
  #block: Block | undefined
  #used = 0
  #headSeen = false

  /** `onHead` is shown the first block before it goes on, or no bytes when the disk begins with a long hole or is empty. */
  constructor(pool: BlockPool, target: BlockTarget, onHead: (bytes: Buffer) => void = () => {}) {
    this.#pool = pool
    this.#target = target
    this.#onHead = onHead
  }

  /** Room for the next bytes, never empty; say with {@link filled} how many were put there. */
  async room(): Promise<Buffer> {
    this.#block ??= await this.#pool.take()
    return this.#block.bytes.subarray(this.#used)
  }

  filled(bytes: number): void {
    this.#used += bytes
    if (this.#used === blockBytes) this.#flush()
  }

  /** Copies; the bytes are free again when it settles. */
  async append(bytes: Uint8Array): Promise<void> {
    // `copy` and not `set`: into shared memory it is half as fast again.
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at < source.length;) {
      const copied = source.copy(await this.room(), 0, at)
      this.filled(copied)
      at += copied
    }
  }

  async zeros(length: number): Promise<void> {
    const toBoundary = this.#used === 0 ? 0 : Math.min(length, blockBytes - this.#used)
    await this.#fillZeros(toBoundary)
    const rest = length - toBoundary
    const whole = rest - (rest % blockBytes)
    if (whole > 0) {
      this.#showHead(Buffer.alloc(0))
      await this.#target.zeros(whole)
    }
    await this.#fillZeros(rest - whole)
  }

  /** Hands on what is left. Nothing may follow. */
  end(): void {
    if (this.#used > 0) this.#flush()
    this.#showHead(Buffer.alloc(0))
  }

  /** Gives back a block that was begun; for a disk that is given up. */
  discard(): void {
    if (this.#block !== undefined) this.#pool.give(this.#block)
    this.#block = undefined
    this.#used = 0
  }

  async #fillZeros(length: number): Promise<void> {
    if (length === 0) return
    const room = await this.room()
    room.fill(0, 0, length)
    this.filled(length)
  }

  #flush(): void {
    const block = this.#block
    const length = this.#used
    if (block === undefined) return
    this.#showHead(block.bytes.subarray(0, length))
    this.#block = undefined
    this.#used = 0
    this.#target.data(block, length)
  }

  #showHead(bytes: Buffer): void {
    if (!this.#headSeen) this.#onHead(bytes)
    this.#headSeen = true
  }
}
