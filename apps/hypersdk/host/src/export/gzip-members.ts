import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { BlockAssembler, BlockTarget } from './block-assembler.ts'
import { blockBytes, type Block, type BlockPool } from './block-pool.ts'
import { isZero } from './zero-runs.ts'

const compress = promisify(gzip)
const emptyBlock = Buffer.alloc(blockBytes)
const zeroBlocksAhead = 64

/**
 * Compresses each block into a gzip member of its own: members one after the other are a gzip file, blocks are compressed
 * at the same time, and a block of zeros is compressed once.
 *
 * Source: RFC 1952 §2.2.
 */
export class GzipMembers implements BlockTarget {
  readonly #pool: BlockPool
  readonly #output: BlockAssembler
  readonly #level: number
  readonly #onDone: (bytes: number) => void
  #tail: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #zeroMember: Promise<Uint8Array> | undefined
  #members = 0

  /** @param level 1 fastest to 9 smallest */
  constructor(pool: BlockPool, output: BlockAssembler, level: number, onDone: (bytes: number) => void) {
    this.#pool = pool
    this.#output = output
    this.#level = level
    this.#onDone = onDone
  }

  data(block: Block, length: number): void {
    const bytes = block.bytes.subarray(0, length)
    const zero = length === blockBytes && isZero(bytes)
    const member = zero ? this.#zeros() : compress(bytes, { level: this.#level })
    this.#add(member, length, () => this.#pool.give(block))
    this.#throwFailure()
  }

  async zeros(length: number): Promise<void> {
    for (let left = length, ahead = 0; left > 0; left -= blockBytes, ahead++) {
      const piece = Math.min(left, blockBytes)
      const member = piece === blockBytes ? this.#zeros() : compress(emptyBlock.subarray(0, piece), { level: this.#level })
      this.#add(member, piece, () => {})
      if (ahead % zeroBlocksAhead === 0) await this.#tail
      this.#throwFailure()
    }
  }

  /** Settles when all members are handed on. */
  async end(): Promise<void> {
    if (this.#members === 0) this.#add(compress(Buffer.alloc(0)), 0, () => {})
    await this.#tail
    this.#throwFailure()
  }

  /** Waits until nothing is in flight; never rejects. */
  async settled(): Promise<void> {
    await this.#tail
  }

  #zeros(): Promise<Uint8Array> {
    return (this.#zeroMember ??= compress(emptyBlock, { level: this.#level }))
  }

  // The block is kept until its member is handed on, so that a slow disk holds back the compression too.
  #add(member: Promise<Uint8Array>, length: number, release: () => void): void {
    this.#members++
    const before = this.#tail
    this.#tail = this.#handOn(member, before, length)
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(release)
  }

  async #handOn(member: Promise<Uint8Array>, before: Promise<void>, length: number): Promise<void> {
    const [bytes] = await Promise.all([member, before])
    this.#throwFailure()
    await this.#output.append(bytes)
    this.#onDone(length)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
