import { hash } from 'node:crypto'
import { lstatSync, type Stats } from 'node:fs'
import { basename, dirname, matchesGlob } from 'node:path'
import { readNames } from './directory-memo.ts'
import type { PackageLimits } from './limits.ts'

/** One file of a package, or something that must not be in one, as a stat saw it. */
export interface SeenEntry {
  /** Relative to the package, `/` between folders. */
  readonly path: string
  readonly kind: EntryKind
  readonly sizeBytes: number
  readonly executable: boolean
  readonly inode: number
  readonly modifiedMs: number
  readonly changedMs: number
}

/** Only `file` may be in a package. */
export type EntryKind = 'file' | 'link' | 'special' | 'set-id' | 'unreadable'

/** What one stat pass over a package saw; nothing was opened. */
export interface TreeLook {
  /** Absolute: the folder the entries are relative to. */
  readonly root: string
  readonly entries: readonly SeenEntry[]
  /** Folders of the package, absolute, its own included; none for a single file. */
  readonly folders: readonly string[]
  readonly totalBytes: number
  /** The limit that was exceeded; the look stopped there. */
  readonly exceeded: string | undefined
  /** When anything in it last changed according to the file system, ms since the epoch. */
  readonly changedMs: number
  /** Over path, kind, mode, size, modification time, change time and inode of every entry. */
  readonly fingerprint: string
}

/** How to look. */
export interface LookOptions {
  readonly limits: PackageLimits
  /** Globs relative to the package that are not part of it. */
  readonly ignore: readonly string[]
  /** Default: reads the folder. */
  readonly names?: (path: string, stats: Stats) => readonly string[]
}

/** Looks at a package: a folder, or a single file. Undefined when it is not there (any more). */
export function lookAtPackage(path: string, kind: 'folder' | 'file', options: LookOptions): TreeLook | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return undefined
  return kind === 'folder' ? lookAtFolder(path, stats, options) : lookAtFile(path, stats, options)
}

/** Looks at the package in a folder whose stat is known. */
export function lookAtFolder(path: string, stats: Stats, options: LookOptions): TreeLook {
  const pass = new StatPass(path, options)
  if (stats.isDirectory()) pass.folder('', stats, 0)
  else pass.entry('.', stats)
  return pass.result()
}

/** Looks at the package that is one file whose stat is known. */
export function lookAtFile(path: string, stats: Stats, options: LookOptions): TreeLook {
  const pass = new StatPass(dirname(path), options)
  pass.entry(basename(path), stats)
  return pass.result()
}

class StatPass {
  readonly #root: string
  readonly #options: LookOptions
  readonly #entries: SeenEntry[] = []
  readonly #folders: string[] = []
  #totalBytes = 0
  #changedMs = 0
  #exceeded: string | undefined

  constructor(root: string, options: LookOptions) {
    this.#root = root
    this.#options = options
  }

  folder(path: string, stats: Stats, depth: number): void {
    const { limits, names = readNames } = this.#options
    if (depth > limits.depth) {
      this.#exceeded = `${limits.depth} levels of folders`
      return
    }
    const absolute = path === '' ? this.#root : `${this.#root}/${path}`
    this.#folders.push(absolute)
    if (this.#folders.length > limits.files) {
      this.#exceeded = `${limits.files} folders`
      return
    }
    this.#changedMs = Math.max(this.#changedMs, stats.ctimeMs)
    try {
      for (const name of names(absolute, stats)) {
        if (this.#exceeded === undefined) this.#child(path === '' ? name : `${path}/${name}`, depth)
      }
    } catch (error) {
      if (!isGone(error)) this.#add(path, 'unreadable', stats)
    }
  }

  entry(path: string, stats: Stats): void {
    this.#add(path, kindOf(stats), stats)
  }

  result(): TreeLook {
    return {
      root: this.#root,
      entries: this.#entries,
      folders: this.#folders,
      totalBytes: this.#totalBytes,
      exceeded: this.#exceeded,
      changedMs: this.#changedMs,
      fingerprint: fingerprintOf(this.#entries, this.#exceeded),
    }
  }

  #child(path: string, depth: number): void {
    if (this.#options.ignore.some((glob) => matchesGlob(path, glob))) return
    const stats = lstatSync(`${this.#root}/${path}`, { throwIfNoEntry: false })
    if (stats?.isDirectory() === true) this.folder(path, stats, depth + 1)
    else if (stats !== undefined) this.entry(path, stats)
  }

  #add(path: string, kind: EntryKind, stats: Stats): void {
    const { limits } = this.#options
    const { size: sizeBytes, ino: inode, mtimeMs: modifiedMs, ctimeMs: changedMs } = stats
    this.#entries.push({ path, kind, sizeBytes, executable: (stats.mode & 0o100) !== 0, inode, modifiedMs, changedMs })
    this.#totalBytes += sizeBytes
    this.#changedMs = Math.max(this.#changedMs, changedMs, modifiedMs)
    if (this.#entries.length > limits.files) this.#exceeded = `${limits.files} files`
    else if (this.#totalBytes > limits.totalBytes) this.#exceeded = `${limits.totalBytes} bytes`
  }
}

function kindOf(stats: Stats): EntryKind {
  if (stats.isSymbolicLink()) return 'link'
  if (!stats.isFile()) return 'special'
  return (stats.mode & 0o6000) === 0 ? 'file' : 'set-id'
}

function fingerprintOf(entries: readonly SeenEntry[], exceeded: string | undefined): string {
  let text = exceeded ?? ''
  for (const entry of entries) {
    const mode = entry.executable ? 'x' : '-'
    text += `${entry.path}\0${entry.kind}${mode}${entry.sizeBytes} ${entry.inode} ${entry.modifiedMs} ${entry.changedMs}\n`
  }
  return hash('sha256', text, 'base64url')
}

function isGone(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return code === 'ENOENT' || code === 'ENOTDIR'
}
