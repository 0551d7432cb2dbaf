import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { blockBytes, type Block, type BlockPool } from './block-pool.ts'
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

/** The beginning of a file that is safely on its volume. */
export interface WrittenPrefix {
  readonly bytes: number
  /** 64 hexadecimal digits. */
  readonly sha256: string
}

/** Whom to tell how much is safely written. */
export interface Checkpoints {
  /** At least between two of them, ms. */
  readonly everyMs: number
  /** Must not reject. */
  readonly onDurable: (prefix: WrittenPrefix) => Promise<void>
}

/** What was to be gone on with is not there as it was noted. */
export class PrefixLost extends Error {}

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
  readonly checkpoints?: Checkpoints | undefined
}

/** What {@link SparseFile.resume} needs beside. */
export interface ResumeOptions {
  readonly prefix: WrittenPrefix
  /** Shown the first block. */
  readonly onHead: (bytes: Buffer) => void
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
  #checkpointing = false
  #checkpointAtMs = performance.now()

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

  /**
   * Goes on with a file after what is safely written of it, which is read for the checksum first. A prefix that is no
   * multiple of the block size is the whole file. Errors: `PrefixLost` when it is not there as it was.
   */
  static async resume(options: SparseFileOptions, { prefix, onHead }: ResumeOptions): Promise<SparseFile> {
    const handle = await open(options.path, constants.O_RDWR | constants.O_NOFOLLOW).catch(() => undefined)
    if (handle === undefined) throw new PrefixLost(`${options.path} is gone`)
    const file = new SparseFile(handle, options)
    try {
      // What was written after the note; and a hole at the end may not have made the file any longer yet.
      await handle.truncate(prefix.bytes)
      await file.#readPrefix(prefix.bytes, onHead)
      const sha256 = await options.hasher.prefix()
      if (sha256 !== prefix.sha256) throw new PrefixLost(`the first ${prefix.bytes} bytes of ${options.path} have changed`)
      return file
    } catch (error) {
      await file[Symbol.asyncDispose]()
      throw error instanceof PrefixLost || options.signal.aborted
        ? error
        : await writeError(error, options.path, options.stillNeeded())
    }
  }

  /** Takes the block over. It must begin at a multiple of the block size. */
  data(block: Block, length: number): void {
    const at = this.#length
    this.#length += length
    const written = this.#write(block.bytes.subarray(0, length), at)
    const both = Promise.all([written, this.#options.hasher.block(block, length)])
    this.#track(both.then(() => this.#options.onDone(length)).finally(() => this.#options.pool.give(block)))
    this.#checkpointWhenDue()
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
      this.#checkpointWhenDue()
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

  async #readPrefix(bytes: number, onHead: (bytes: Buffer) => void): Promise<void> {
    const { pool, hasher, signal, onDone } = this.#options
    while (this.#length < bytes) {
      signal.throwIfAborted()
      this.#throwFailure()
      const block = await pool.take()
      const read = await this.#file
        .read(block.bytes, 0, Math.min(blockBytes, bytes - this.#length), this.#length)
        .catch((error: unknown) => {
          pool.give(block)
          throw error
        })
      const piece = block.bytes.subarray(0, read.bytesRead)
      if (this.#length === 0) onHead(piece)
      this.#length += read.bytesRead
      for (const { start, end } of dataRuns(piece)) this.#dataBytes += end - start
      const hashed = hasher.block(block, read.bytesRead)
      this.#track(hashed.then(() => onDone(read.bytesRead)).finally(() => pool.give(block)))
      if (read.bytesRead === 0) throw new PrefixLost('it ended early')
    }
  }

  /** Notes that all so far is written, as soon as it is; what comes meanwhile does not wait for that. */
  #checkpointWhenDue(): void {
    const { checkpoints } = this.#options
    if (checkpoints === undefined || this.#checkpointing || this.#length % blockBytes !== 0) return
    if (performance.now() - this.#checkpointAtMs < checkpoints.everyMs) return
    this.#checkpointing = true
    const bytes = this.#length
    const noted = this.#noteDurable(checkpoints, bytes, [...this.#inFlight])
    this.#track(
      noted.finally(() => {
        this.#checkpointing = false
        this.#checkpointAtMs = performance.now()
      }),
    )
  }

  async #noteDurable({ onDurable }: Checkpoints, bytes: number, before: readonly Promise<void>[]): Promise<void> {
    const [sha256] = await Promise.all([this.#options.hasher.prefix(), ...before])
    if (this.#failure !== undefined) return
    await this.#file.datasync()
    await onDurable({ bytes, sha256 })
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
