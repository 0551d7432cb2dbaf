import { open, type FileHandle } from 'node:fs/promises'
import type { Block, BlockPool } from './block-pool.ts'
import type { Hasher } from './hasher.ts'
import { writeError } from './write-error.ts'
import { dataRuns } from './zero-runs.ts'

const zeroPiece = 16 * 1_048_576
const zeroPiecesAhead = 4
const syncEvery = 16 * 1_048_576

/** What a finished file is. */
export interface WrittenFile {
  /** Its length; holes count. */
  readonly bytes: number
  /** Written into blocks; the rest is holes. */
  readonly dataBytes: number
  /** 64 hexadecimal digits. */
  readonly sha256: string
}

/** Options of {@link SparseFile.create}. */
export interface SparseFileOptions {
  readonly path: string
  /** Blocks go back here once they are written and hashed. */
  readonly pool: BlockPool
  readonly hasher: Hasher
  readonly signal: AbortSignal
  /** Told of each piece that is written and hashed. */
  readonly onDone: (bytes: number) => void
  /** At most this many bytes are still to come; for messages. */
  readonly stillNeeded: () => number
}

/**
 * A new file written front to back in one pass: blocks are written and hashed at the same time, runs of zeros become
 * holes and are hashed without being read. Errors: `EXPORT_WRITE_FAILED`, `EXPORT_DISK_FULL`, from any method, late.
 */
export class SparseFile implements AsyncDisposable {
  readonly #options: SparseFileOptions
  readonly #file: FileHandle
  readonly #inFlight = new Set<Promise<void>>()
  readonly #zeroPieces: Promise<void>[] = []
  #failure: { readonly error: unknown } | undefined
  #length = 0
  #dataBytes = 0
  #unsynced = 0
  #syncing = false

  private constructor(file: FileHandle, options: SparseFileOptions) {
    this.#file = file
    this.#options = options
  }

  /** The file must not exist. Only its owner may read it: disks hold secrets. */
  static async create(options: SparseFileOptions): Promise<SparseFile> {
    try {
      return new SparseFile(await open(options.path, 'wx', 0o600), options)
    } catch (error) {
      throw await writeError(error, options.path, options.stillNeeded())
    }
  }

  /** Takes the block over. It must begin at a multiple of the block size. */
  data(block: Block, length: number): void {
    const at = this.#length
    this.#length += length
    const written = this.#write(block.bytes.subarray(0, length), at)
    const both = Promise.all([written, this.#options.hasher.block(block, length)])
    this.#track(both.then(() => this.#options.onDone(length)).finally(() => this.#options.pool.give(block)))
    this.#throwFailure()
  }

  /** Settles when most of the zeros are hashed, so that an endless hole cannot run ahead. */
  async zeros(length: number): Promise<void> {
    for (let left = length; left > 0; left -= zeroPiece) {
      this.#options.signal.throwIfAborted()
      this.#throwFailure()
      const piece = Math.min(left, zeroPiece)
      this.#length += piece
      const hashed = this.#options.hasher.zeros(piece).then(() => this.#options.onDone(piece))
      this.#track(hashed)
      this.#zeroPieces.push(hashed)
      if (this.#zeroPieces.length > zeroPiecesAhead) await this.#zeroPieces.shift()
    }
  }

  /** Everything is on the disk when it settles. */
  async finish(): Promise<WrittenFile> {
    await this.#settle()
    this.#throwFailure()
    try {
      await this.#file.truncate(this.#length)
      await this.#file.sync()
    } catch (error) {
      throw await writeError(error, this.#options.path, this.#options.stillNeeded())
    }
    return { bytes: this.#length, dataBytes: this.#dataBytes, sha256: await this.#options.hasher.digest() }
  }

  /** Closes the file and leaves it where it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settle()
    await this.#file.close()
  }

  async #write(bytes: Buffer, at: number): Promise<void> {
    try {
      for (const { start, end } of dataRuns(bytes)) await this.#writeRun(bytes.subarray(start, end), at + start)
    } catch (error) {
      throw await writeError(error, this.#options.path, this.#options.stillNeeded())
    }
  }

  async #writeRun(bytes: Buffer, at: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, at + done)
      done += bytesWritten
    }
    this.#dataBytes += bytes.length
    this.#unsynced += bytes.length
    if (this.#unsynced >= syncEvery && !this.#syncing) this.#syncAhead()
  }

  // Starts the disk early, so that little is left to wait for at the end.
  #syncAhead(): void {
    this.#syncing = true
    this.#unsynced = 0
    this.#track(this.#file.datasync().finally(() => (this.#syncing = false)))
  }

  #track(work: Promise<void>): void {
    const kept: Promise<void> = work
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => this.#inFlight.delete(kept))
    this.#inFlight.add(kept)
  }

  async #settle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
