import { Worker } from 'node:worker_threads'
import type { Block } from './block-pool.ts'
import type { HashRequest } from './hash-worker.ts'

interface Waiting {
  readonly resolve: (digest: string | null) => void
  readonly reject: (error: unknown) => void
}

const workerFile = new URL(import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js', import.meta.url)

/**
 * SHA-256 in a thread of its own, beside the writing, over blocks of one shared memory. One file at a time: what is
 * given between two digests is one file. Each promise settles when the thread is done with it, in order.
 */
export class Hasher implements AsyncDisposable {
  readonly #worker: Worker
  readonly #waiting: Waiting[] = []
  #failure: Error | undefined

  constructor(memory: SharedArrayBuffer) {
    this.#worker = new Worker(workerFile, { workerData: memory, name: 'export-hash', env: {} })
    this.#worker.on('message', (digest: string | null) => this.#waiting.shift()?.resolve(digest))
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', () => this.#fail(new Error('the hashing thread ended')))
  }

  /** The block must not change before the promise settles. */
  async block(block: Block, length: number): Promise<void> {
    await this.#ask({ kind: 'block', offset: block.offset, length })
  }

  async zeros(length: number): Promise<void> {
    await this.#ask({ kind: 'zeros', length })
  }

  /** 64 hexadecimal digits over all since the last digest. */
  async digest(): Promise<string> {
    return String(await this.#ask({ kind: 'digest' }))
  }

  /** The same over what was given so far; more may follow. */
  async prefix(): Promise<string> {
    return String(await this.#ask({ kind: 'prefix' }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(request: HashRequest): Promise<string | null> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { promise, resolve, reject } = Promise.withResolvers<string | null>()
    this.#waiting.push({ resolve, reject })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
    this.#worker.postMessage(request)
    return promise
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}
