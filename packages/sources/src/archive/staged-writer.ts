import { createHash, type Hash } from 'node:crypto'
import { chmod, mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Gate } from '../gate.ts'
import { syncFile, syncFolder } from '../write-tree.ts'
import type { ArchiveFile } from './archive-file.ts'
import type { ArchivePart } from './archive-part.ts'
import { refuse } from './refuse.ts'

/** The file that is being written. */
interface Writing {
  readonly file: ArchiveFile
  readonly handle: FileHandle
  readonly sum: Hash
}

/**
 * Writes the files of an archive, one after the other, into a folder it makes. The walk that brings the bytes is held against
 * the list that was approved: another file, order or byte is `ARCHIVE_CHANGED`. Disposing closes what is open.
 */
export class StagedWriter {
  readonly #directory: string
  readonly #files: readonly ArchiveFile[]
  readonly #folders = new Set<string>()
  #next = 0
  #writing: Writing | undefined

  constructor(directory: string, files: readonly ArchiveFile[]) {
    this.#directory = directory
    this.#files = files
  }

  /** Makes the folder; there must be none. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { mode: 0o700 })
  }

  async write(part: ArchivePart): Promise<void> {
    switch (part.kind) {
      case 'folder':
        return
      case 'file':
        return this.#begin(part.sizeBytes)
      case 'bytes':
        return this.#append(part.bytes)
      case 'end':
        return this.#end()
    }
  }

  /** Puts everything on the disk. */
  async finish(): Promise<void> {
    const missing = this.#files[this.#next]
    if (missing !== undefined) throw refuse('ARCHIVE_CHANGED', missing.path)
    const gate = new Gate(8)
    await Promise.all(this.#files.map(({ path }) => gate.run(() => syncFile(join(this.#directory, path)))))
    for (const folder of [...this.#folders].toReversed()) await syncFolder(folder)
    await syncFolder(this.#directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing?.handle.close()
    this.#writing = undefined
  }

  /** Exclusively: whatever were in the place would neither be followed nor written to. */
  async #begin(sizeBytes: number): Promise<void> {
    const file = this.#files[this.#next]
    if (file === undefined || file.sizeBytes !== sizeBytes) throw refuse('ARCHIVE_CHANGED', file?.path ?? '')
    this.#next += 1
    await this.#makeFolder(dirname(file.path))
    const handle = await open(join(this.#directory, file.path), 'wx', 0o600)
    this.#writing = { file, handle, sum: createHash('sha256') }
  }

  async #append(bytes: Uint8Array): Promise<void> {
    this.#writing?.sum.update(bytes)
    await this.#writing?.handle.writeFile(bytes)
  }

  async #end(): Promise<void> {
    const writing = this.#writing
    if (writing === undefined) return
    const { file, handle, sum } = writing
    if (sum.digest('hex') !== file.sha256) throw refuse('ARCHIVE_CHANGED', file.path)
    await handle.chmod(file.executable ? 0o755 : 0o644)
    await handle.close()
    this.#writing = undefined
  }

  async #makeFolder(path: string): Promise<void> {
    const folder = join(this.#directory, path)
    if (path === '.' || this.#folders.has(folder)) return
    await this.#makeFolder(dirname(path))
    await mkdir(folder)
    await chmod(folder, 0o755)
    this.#folders.add(folder)
  }
}
