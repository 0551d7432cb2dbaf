/** Size of one block, bytes. */
export const blockBytes = 1_048_576

/** A piece of the pool's memory; whoever took it owns it until it is given back. */
export interface Block {
  /** Where it begins in the pool's memory, bytes. */
  readonly offset: number
  /** `blockBytes` long; holds what its last owner left. */
  readonly bytes: Buffer
}

/**
 * A fixed number of blocks in memory that threads share. It is what bounds an export: who wants to bring more waits for
 * a block, and so does the plugin's stream behind it.
 */
export class BlockPool {
  readonly memory: SharedArrayBuffer
  readonly #free: Block[]
  readonly #waiting: ((block: Block) => void)[] = []

  constructor(blocks: number) {
    this.memory = new SharedArrayBuffer(blocks * blockBytes)
    const offsets = Array.from({ length: blocks }, (_, index) => index * blockBytes)
    this.#free = offsets.map((offset) => ({ offset, bytes: Buffer.from(this.memory, offset, blockBytes) }))
  }

  take(): Promise<Block> {
    const block = this.#free.pop()
    return block === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(block)
  }

  give(block: Block): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(block)
    else next(block)
  }
}
