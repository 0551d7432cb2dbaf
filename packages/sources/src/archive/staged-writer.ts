import { chmod, mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pLimit from 'p-limit'
import { syncFile, syncFolder } from '../write-tree.ts'
import type { ArchiveFile } from './archive-file.ts'
import { isHidden } from './archive-tree.ts'
import type { UnpackPart } from './unpack-parts.ts'

/** The file that is being written. */
interface Writing {
  readonly handle: FileHandle
  readonly executable: boolean
}

/** Writes the files of an archive, one after the other, into a folder it makes. Disposing closes what is open. */
export class StagedWriter {
  readonly #directory: string
  readonly #files: string[] = []
  readonly #folders = new Set<string>()
  #writing: Writing | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Makes the folder; there must be none. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { mode: 0o700 })
  }

  async write(part: UnpackPart): Promise<void> {
    switch (part.kind) {
      case 'file':
        return this.#begin(part.file)
      case 'bytes':
        return this.#writing?.handle.writeFile(part.bytes)
      case 'end':
        return this.#end()
    }
  }

  /** Puts everything on the disk. When it cannot, nothing is under way any more. */
  async finish(signal: AbortSignal): Promise<void> {
    const gate = pLimit(8)
    const sync = async (path: string): Promise<void> => {
      signal.throwIfAborted()
      await syncFile(path)
    }
    const results = await Promise.allSettled(this.#files.map((path) => gate(() => sync(path))))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    for (const folder of [...this.#folders].toReversed()) await syncFolder(folder)
    await syncFolder(this.#directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing?.handle.close()
    this.#writing = undefined
  }

  /** Exclusively: whatever were in the place would neither be followed nor written to. */
  async #begin({ path, executable }: ArchiveFile): Promise<void> {
    if (isHidden(path)) return
    await this.#makeFolder(dirname(path))
    const target = join(this.#directory, path)
    this.#writing = { handle: await open(target, 'wx', 0o600), executable }
    this.#files.push(target)
  }

  async #end(): Promise<void> {
    const writing = this.#writing
    if (writing === undefined) return
    await writing.handle.chmod(writing.executable ? 0o755 : 0o644)
    await writing.handle.close()
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
