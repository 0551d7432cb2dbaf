import { constants, type BigIntStats } from 'node:fs'
import { lstat, open, readdir, realpath, type FileHandle } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { imagesErrors } from './errors.ts'

/** A file of the directory, open for reading. Dispose it to close it. */
export interface OpenFile extends AsyncDisposable {
  /** Path relative to the directory. */
  readonly id: string
  readonly handle: FileHandle
  readonly stat: BigIntStats
  /** Errors: `IMAGES_CHANGED` when the file is not as it was when it was opened. */
  readonly expectUnchanged: () => Promise<void>
}

/** The one directory an instance serves. Whatever path is asked for, only plain files inside it are ever opened. */
export interface ImageDirectory {
  readonly path: string
  /**
   * Ids of the files in the directory and in its immediate subdirectories; hidden ones are left out. Errors:
   * `IMAGES_TOO_MANY`, `IMAGES_DIRECTORY_UNREADABLE`.
   */
  readonly files: () => Promise<string[]>
  /** Errors: `IMAGES_NOT_FOUND`, `IMAGES_UNSAFE_ENTRY` for what is no plain file or lies outside. */
  readonly open: (id: string) => Promise<OpenFile>
}

const mostFiles = 10_000

/** The directory that an instance's `metadata.directory` names; it is looked at on each call. Errors: `IMAGES_DIRECTORY_UNSET`. */
export function imageDirectory(setting: unknown): ImageDirectory {
  if (typeof setting !== 'string' || !isAbsolute(setting)) {
    throw imagesErrors.error('IMAGES_DIRECTORY_UNSET', { given: JSON.stringify(setting) ?? 'not set' })
  }
  const path = resolve(setting)
  return {
    path,
    files: async () => {
      try {
        return await walk(path)
      } catch (error) {
        throw unreadable(path, error)
      }
    },
    open: (id) => openInside(path, id),
  }
}

function unreadable(directory: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'PlatformError') return error
  const code: unknown = Reflect.get(error, 'code')
  const reason = code === 'ERR_ACCESS_DENIED' ? 'the plugin was not granted it' : error.message
  return imagesErrors.error('IMAGES_DIRECTORY_UNREADABLE', { directory, reason }, { cause: error })
}

async function walk(root: string, group = ''): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(join(root, group), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue
    const id = group === '' ? entry.name : `${group}/${entry.name}`
    if (!entry.isDirectory()) found.push(id)
    else if (group === '') found.push(...(await walk(root, entry.name)))
    if (found.length > mostFiles) throw imagesErrors.error('IMAGES_TOO_MANY', { directory: root, limit: mostFiles })
  }
  return found.sort()
}

/**
 * The path is resolved, checked and only then opened; afterwards it is resolved again and must still lead to the very
 * file that was opened, so that a directory swapped for a link in between is found out.
 */
async function openInside(root: string, id: string): Promise<OpenFile> {
  let handle: FileHandle | undefined
  try {
    const path = join(root, await resolveInside(root, id))
    // NONBLOCK: a FIFO must not hold the plugin up.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const opened = await handle.stat({ bigint: true })
    const there = await lstat(join(root, await resolveInside(root, id)), { bigint: true })
    if (!opened.isFile() || opened.ino !== there.ino || opened.dev !== there.dev) throw unsafe(id)
    return openFile(id, handle, opened)
  } catch (error) {
    await handle?.close()
    throw openError(id, error)
  }
}

async function resolveInside(root: string, id: string): Promise<string> {
  // As written first: what lies outside, the plugin may not even resolve.
  if (id.includes('\0') || leavesIt(relative(root, join(root, id)))) throw unsafe(id)
  const inside = relative(await realpath(root), await realpath(join(root, id)))
  if (leavesIt(inside)) throw unsafe(id)
  return inside
}

function leavesIt(path: string): boolean {
  return path === '' || path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)
}

function openFile(id: string, handle: FileHandle, opened: BigIntStats): OpenFile {
  return {
    id,
    handle,
    stat: opened,
    expectUnchanged: async () => {
      const now = await handle.stat({ bigint: true })
      // The change time cannot be set back, so it also betrays a writer that restores the modification time.
      if (now.size !== opened.size || now.mtimeNs !== opened.mtimeNs || now.ctimeNs !== opened.ctimeNs) {
        throw imagesErrors.error('IMAGES_CHANGED', { id })
      }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

function unsafe(id: string): Error {
  return imagesErrors.error('IMAGES_UNSAFE_ENTRY', { id })
}

function openError(id: string, error: unknown): unknown {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') return imagesErrors.error('IMAGES_NOT_FOUND', { id })
  if (code === 'ELOOP' || code === 'ENXIO') return unsafe(id)
  return error
}
