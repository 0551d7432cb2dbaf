import { isUtf8 } from 'node:buffer'
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from './errno-of.ts'
import { pinPath, type PinnedPath } from './pinned-path.ts'
import { readFileInside } from './read-file.ts'
import { resolveInside, type Resolved } from './resolve-inside.ts'
import { TreeDirectory } from './tree-directory.ts'
import { attributeAnswers, attributeDeadlineMs, writeAttribute } from './write-attribute.ts'
import { flushDirectory, removeFile, replaceFile, unfinishedPath, type FileMarks } from './write-file.ts'

/** What stands at a path. */
export interface Entry extends FileMarks {
  readonly kind: 'file' | 'directory' | 'other'
  readonly sizeBytes: number
}

/** Attributes of a device that the kernel answers when nobody binds or unbinds it. Source: Linux, drivers/pci, `device_lock`. */
const waitingAttributes: ReadonlySet<string> = new Set(['driver_override', 'sriov_numvfs'])

/** Configuration files are small; the list of PCI ids is the largest file read. */
const defaultMostBytes = 8 * 1024 * 1024

/**
 * The files of one machine: this one, or a copy of another below a directory. Every path is given as that machine names
 * it, and its links are followed inside it, absolute ones too; nothing outside is ever written, nor a file read whole, also
 * when the owner of a copy puts a link in place of a directory meanwhile.
 *
 * Reading does not wait: it is done for thousands of files that the kernel makes up. Writing does.
 */
export class MachineTree {
  /** Real path of the directory on this machine. */
  readonly root: string
  /** False: a copy; what is written to its `sys` has no effect. */
  readonly isThisMachine: boolean
  /** Directories of which not all is read. */
  readonly #heldOff = new Set<string>()

  private constructor(root: string) {
    this.root = root
    this.isThisMachine = root === '/'
  }

  /** Errors: `TREE_NOT_FOUND`. */
  static open(root: string): MachineTree {
    try {
      const real = realpathSync(root)
      if (statSync(real).isDirectory()) return new MachineTree(real)
    } catch (error) {
      throw exliarErrors.error('TREE_NOT_FOUND', { root }, { cause: error })
    }
    throw exliarErrors.error('TREE_NOT_FOUND', { root })
  }

  /** Where a path leads, as the machine names it, free of links; undefined when nothing is there. Errors: `TREE_ESCAPES`. */
  realPath(path: string): string | undefined {
    const resolved = resolveInside(this.root, path)
    return resolved.stats === undefined ? undefined : resolved.path
  }

  /** Path on this machine that `path` leads to, whether something is there or not. Errors: `TREE_ESCAPES`. */
  hostPath(path: string): string {
    return this.#onHost(resolveInside(this.root, path).path)
  }

  /**
   * As `hostPath`, and held to the directory it was in then, until it is disposed: for what is done in several calls. Its last
   * name may be a link by now. Errors: `TREE_ESCAPES`, `TREE_UNREADABLE`, those of the operating system.
   */
  pin(path: string): PinnedPath {
    return this.#pinned(this.hostPath(path))
  }

  /** Whether something is there that this user may know of. */
  has(path: string): boolean {
    return this.stat(path) !== undefined
  }

  /** What is there, links followed; undefined when nothing is, or this user may not know. Errors: `TREE_ESCAPES`. */
  stat(path: string): Entry | undefined {
    const stats = this.#resolvedOrNothing(path)?.stats
    if (stats === undefined) return undefined
    const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other'
    return { kind, sizeBytes: stats.size, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid }
  }

  /** Names in a directory, in order; empty when there is none, or this user may not look into it. */
  names(path: string): readonly string[] {
    const found = this.#resolvedOrNothing(path)
    if (found?.stats?.isDirectory() !== true) return []
    try {
      return readdirSync(this.#onHost(found.path)).sort()
    } catch {
      return []
    }
  }

  /** A directory whose many small files are to be read; undefined when there is none. */
  directory(path: string): TreeDirectory | undefined {
    const found = this.#resolvedOrNothing(path)
    if (found?.stats?.isDirectory() !== true) return undefined
    return new TreeDirectory(found.path, this.#onHost(found.path), this.#heldOff.has(found.path) ? waitingAttributes : undefined)
  }

  /** Last name of what a link points to; undefined when it is no link. */
  linkName(path: string): string | undefined {
    return this.directory(dirname(path))?.linkName(basename(path))
  }

  /**
   * A whole file; undefined when it is missing. Errors: `TREE_ESCAPES`, `TREE_UNREADABLE`, `TREE_FILE_TOO_LARGE` above
   * `mostBytes` (default 8 MiB).
   */
  readBytes(path: string, mostBytes = defaultMostBytes): Buffer | undefined {
    const { stats, path: real } = resolveInside(this.root, path)
    if (stats === undefined) return undefined
    if (!stats.isFile()) throw exliarErrors.error('TREE_UNREADABLE', { path, reason: 'it is no regular file' })
    try {
      using pinned = this.#pinned(this.#onHost(real))
      return readFileInside(pinned.path, mostBytes, path)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      if (error instanceof PlatformError) throw error
      throw exliarErrors.error('TREE_UNREADABLE', { path, reason: errnoOf(error) }, { cause: error })
    }
  }

  /** A whole file as text, of which no byte is lost: what is not UTF-8 is `TREE_UNREADABLE`. Otherwise as `readBytes`. */
  readText(path: string, mostBytes = defaultMostBytes): string | undefined {
    const bytes = this.readBytes(path, mostBytes)
    if (bytes !== undefined && !isUtf8(bytes)) throw exliarErrors.error('TREE_UNREADABLE', { path, reason: 'it is not UTF-8' })
    return bytes?.toString('utf8')
  }

  /** Text of a file for looking only; undefined when it is missing, too large or not for this user. */
  glance(path: string, mostBytes = defaultMostBytes): string | undefined {
    try {
      return this.readBytes(path, mostBytes)?.toString('utf8')
    } catch {
      return undefined
    }
  }

  /**
   * Writes a file whole or not at all. One that was there keeps its mode and owner, a new one has 0644, unless `marks` says
   * otherwise. Its directory must exist. Errors: `TREE_ESCAPES`, `TREE_UNWRITABLE`.
   */
  async write(path: string, content: string | Uint8Array, marks?: FileMarks): Promise<void> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    await this.#change(path, (hostPath) => replaceFile(hostPath, bytes, marks ?? this.stat(path)))
  }

  /**
   * Writes to a file of the kernel's, in place. It must exist. Errors: as `write`; `details.reason` is the kernel's own;
   * `ATTRIBUTE_BLOCKED` when it has not answered within the deadline (default 30 s).
   */
  async writeAttribute(path: string, value: string, deadlineMs = attributeDeadlineMs): Promise<void> {
    await this.#change(path, (hostPath) => writeAttribute({ hostPath, deadlineMs }, { value, path }))
  }

  /** Whether the kernel answers what is read there within the deadline (default 30 s), without waiting for it any longer itself. */
  async attributeAnswers(path: string, deadlineMs = attributeDeadlineMs): Promise<boolean> {
    using pinned = this.pin(path)
    return await attributeAnswers({ hostPath: pinned.path, deadlineMs })
  }

  /**
   * From now on nothing of this directory is read that the kernel answers only when what somebody else asked there is done: this
   * process would stand still.
   */
  holdOff(path: string): void {
    const real = this.realPath(path)
    if (real !== undefined) this.#heldOff.add(real)
  }

  /** Whether {@link holdOff} was said of it. */
  isHeldOff(path: string): boolean {
    return this.#heldOff.has(this.realPath(path) ?? '')
  }

  /** Removes the file `path` leads to; answers whether there was one. Errors: as `write`. */
  async remove(path: string): Promise<boolean> {
    if (resolveInside(this.root, path).stats === undefined) return false
    return this.#change(path, removeFile)
  }

  /** Removes what a killed {@link write} of `path` may have left beside it. */
  async removeUnfinished(path: string): Promise<void> {
    const beside = dirname(resolveInside(this.root, path).path)
    if (resolveInside(this.root, beside).stats === undefined) return
    await this.#change(path, (hostPath) => rm(unfinishedPath(hostPath), { force: true }))
  }

  /** Makes one directory in one that exists; answers whether it was missing. Errors: as `write`. */
  async makeDirectory(path: string): Promise<boolean> {
    if (this.stat(path)?.kind === 'directory') return false
    await this.#change(path, async (hostPath) => {
      await mkdir(hostPath, 0o755)
      await flushDirectory(dirname(hostPath))
    })
    return true
  }

  /** Removes a directory; answers false, and leaves it, when something is in it. Errors: as `write`. */
  async removeDirectory(path: string): Promise<boolean> {
    if (this.names(path).length > 0) return false
    await this.#change(path, async (hostPath) => {
      await rmdir(hostPath)
      await flushDirectory(dirname(hostPath))
    })
    return true
  }

  async #change<T>(path: string, change: (hostPath: string) => Promise<T>): Promise<T> {
    const hostPath = this.hostPath(path)
    try {
      using pinned = this.#pinned(hostPath)
      return await change(pinned.path)
    } catch (error) {
      if (error instanceof PlatformError) throw error
      const reason = errnoOf(error)
      throw exliarErrors.error('TREE_UNWRITABLE', { path, reason }, { cause: error, details: { reason } })
    }
  }

  /** This machine's own directories are nobody else's to move. */
  #pinned(hostPath: string): PinnedPath {
    return this.isThisMachine ? { path: hostPath, [Symbol.dispose]: () => undefined } : pinPath(hostPath)
  }

  /** Undefined: missing, or in a directory this user may not enter. */
  #resolvedOrNothing(path: string): Resolved | undefined {
    try {
      return resolveInside(this.root, path)
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'TREE_ESCAPES') throw error
      return undefined
    }
  }

  #onHost(real: string): string {
    return this.isThisMachine ? real : `${this.root}${real}`
  }
}
