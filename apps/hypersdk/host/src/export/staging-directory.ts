import { constants } from 'node:fs'
import { lstat, mkdtemp, open, readdir, readlink, realpath, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { PlatformError } from '@backplane/sdk'
import { exportErrors } from './errors.ts'
import { writeError } from './write-error.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** A file a plugin made for one disk. Disposing closes it. */
export interface StagedFile extends AsyncDisposable {
  readonly handle: FileHandle
  readonly bytes: number
  /** Refuses the file when it was changed since it was opened. Errors: `EXPORT_FILE_UNSAFE`. */
  readonly assertUnchanged: () => Promise<void>
}

/**
 * A directory of one call alone, where a plugin leaves finished files. Everything in it is the plugin's: names, links
 * and files that change while they are read. Disposing removes it with all that is in it.
 */
export class StagingDirectory implements AsyncDisposable {
  /** Absolute, without links. */
  readonly path: string
  readonly #onLeft: (error: unknown) => void

  private constructor(path: string, onLeft: (error: unknown) => void) {
    this.path = path
    this.#onLeft = onLeft
  }

  /**
   * Belongs to whom `parent` belongs to. `onLeft` is told when it cannot be removed; disposing never throws.
   * Errors: `EXPORT_WRITE_FAILED`, `EXPORT_DISK_FULL`.
   */
  static async create(parent: string, onLeft: (error: unknown) => void): Promise<StagingDirectory> {
    try {
      const around = await realpath(parent)
      const path = await mkdtemp(join(around, 'export-'))
      await giveToOwnerOf(around, path)
      return new StagingDirectory(path, onLeft)
    } catch (error) {
      throw await writeError(error, parent)
    }
  }

  /**
   * Opens what a plugin named. What was opened is looked at, not what the name says now, so swapping the name in between
   * changes nothing. Errors: `EXPORT_FILE_UNSAFE`.
   */
  async open(disk: string, path: string): Promise<StagedFile> {
    const refuse = (reason: string): PlatformError => exportErrors.error('EXPORT_FILE_UNSAFE', { disk, path, reason })
    if (isAbsolute(path) || path.includes('\0') || path.split('/').includes('..'))
      throw refuse('it is not a path in the staging directory')
    // A pipe in its place must not hold us up, and a link must not lead us away.
    const handle = await open(join(this.path, path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
      throw refuse(error instanceof Error ? error.message : String(error))
    })
    try {
      const opened = await readlink(`/proc/self/fd/${handle.fd}`)
      const stat = await handle.stat({ bigint: true })
      if (!opened.startsWith(`${this.path}/`)) throw refuse('it leads out of the staging directory')
      if (!stat.isFile()) throw refuse('it is not a regular file')
      if (stat.nlink !== 1n) throw refuse(`it has ${stat.nlink} names`)
      const assertUnchanged = async (): Promise<void> => {
        const now = await handle.stat({ bigint: true })
        if (now.size !== stat.size || now.mtimeNs !== stat.mtimeNs) throw refuse('it changed while it was read')
      }
      return { handle, bytes: Number(stat.size), assertUnchanged, [Symbol.asyncDispose]: () => handle.close() }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.path).catch(this.#onLeft)
  }
}

/**
 * Removes a directory that somebody else may still be changing, or removing as well: what held a plugin that ended
 * removes what that one was given. Every step goes through an opened directory, so a directory swapped for a link in
 * between never leads the removal somewhere else, as it can with a removal by path.
 */
async function removeTree(path: string): Promise<void> {
  const directory = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(() => undefined)
  if (directory === undefined) return rm(path, { force: true })
  try {
    await empty(directory)
  } finally {
    await directory.close()
  }
  await rmdir(path).catch(unlessGone)
}

async function empty(directory: FileHandle): Promise<void> {
  const here = Buffer.from(`/proc/self/fd/${directory.fd}/`)
  const entries = await readdir(here, { withFileTypes: true, encoding: 'buffer' }).catch(unlessGone)
  for (const entry of entries ?? []) {
    const path = Buffer.concat([here, entry.name])
    if (!entry.isDirectory()) {
      await unlink(path).catch(unlessGone)
      continue
    }
    const child = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(unlessGone)
    if (child === undefined) continue
    try {
      await empty(child)
    } finally {
      await child.close()
    }
    await rmdir(path).catch(unlessGone)
  }
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

/**
 * A plugin may run as a user of its own, whom its exchange directory belongs to. That one may put a link in the new
 * directory's place at any moment: what was opened is given, not what the name says now.
 */
async function giveToOwnerOf(directory: string, path: string): Promise<void> {
  const { uid, gid } = await lstat(directory)
  if (uid === process.getuid?.()) return
  await using made = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  await made.chown(uid, gid)
}
