import { BlockAssembler } from './block-assembler.ts'
import { BlockPool } from './block-pool.ts'
import { GzipMembers } from './gzip-members.ts'
import { SparseFile, type SparseFileOptions, type WrittenFile, type WrittenPrefix } from './sparse-file.ts'

/** Blocks being compressed at once, beside those being written. */
const compressing = 4

/** Options of {@link DiskFile.create}. */
export interface DiskFileOptions extends SparseFileOptions {
  /** 1 fastest to 9 smallest; undefined writes the bytes as they are. */
  readonly gzipLevel: number | undefined
  /** Shown the first bytes of the disk before any is written; throws to refuse them. */
  readonly onHead: (bytes: Buffer) => void
}

/** One disk on its way into one file, compressed or not. Bring its bytes through `input`, in order. */
export class DiskFile implements AsyncDisposable {
  readonly input: BlockAssembler
  readonly #file: SparseFile
  readonly #compressed: { readonly members: GzipMembers; readonly output: BlockAssembler } | undefined

  private constructor(file: SparseFile, options: DiskFileOptions) {
    this.#file = file
    if (options.gzipLevel === undefined) {
      this.input = new BlockAssembler(options.pool, file, options.onHead)
      return
    }
    const pool = new BlockPool(compressing)
    const output = new BlockAssembler(options.pool, file)
    const members = new GzipMembers(pool, output, options.gzipLevel, options.onDone)
    this.#compressed = { members, output }
    this.input = new BlockAssembler(pool, members, options.onHead)
  }

  /** Errors: `EXPORT_WRITE_FAILED`, `EXPORT_DISK_FULL`. */
  static async create(options: DiskFileOptions): Promise<DiskFile> {
    // Progress counts bytes before compression, so with compression the file itself reports nothing.
    const file = options.gzipLevel === undefined ? options : { ...options, onDone: () => {} }
    return new DiskFile(await SparseFile.create(file), options)
  }

  /** Goes on with a disk that is not compressed. Errors: those of `SparseFile.resume`. */
  static async resume(options: DiskFileOptions, prefix: WrittenPrefix): Promise<DiskFile> {
    const file = await SparseFile.resume(options, { prefix, onHead: options.onHead })
    return new DiskFile(file, { ...options, gzipLevel: undefined, onHead: () => {} })
  }

  /** Everything is on the disk when it settles. */
  async finish(): Promise<WrittenFile> {
    this.input.end()
    await this.#compressed?.members.end()
    this.#compressed?.output.end()
    return this.#file.finish()
  }

  /** Waits for what is in flight and closes the file, finished or not; the file stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.input.discard()
    await this.#compressed?.members.settled()
    this.#compressed?.output.discard()
    await this.#file[Symbol.asyncDispose]()
  }
}
