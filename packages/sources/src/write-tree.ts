import { constants } from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pLimit from 'p-limit'
import type { PackageTree, TreeFile } from './read-tree.ts'

/**
 * Writes a package into the folder `target`, which must not exist: read-only (folders 0555, files 0444 or 0555), and on
 * the disk when the promise settles.
 */
export async function writeTree(target: string, tree: PackageTree, signal: AbortSignal): Promise<void> {
  const folders = foldersOf(tree.files).map((folder) => join(target, folder))
  for (const folder of folders) await mkdir(folder, { mode: 0o700 })
  const gate = pLimit(8)
  // When one cannot be written none is under way any more: what there is is removed then.
  const results = await Promise.allSettled(tree.files.map((file) => gate(() => writeFile(join(target, file.path), file, signal))))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  for (const folder of folders.toReversed()) {
    await chmod(folder, 0o555)
    await syncFolder(folder)
  }
}

/** Removes a folder whose parts are read-only. Not there is fine. */
export async function removeTree(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.isDirectory() === true) {
    await chmod(path, 0o700)
    const entries = await readdir(path, { withFileTypes: true })
    const folders = entries.filter((entry) => entry.isDirectory())
    await Promise.all(folders.map((folder) => removeTree(join(path, folder.name))))
  }
  await rm(path, { recursive: true, force: true })
}

/** Puts the names in a folder on the disk. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** Puts the bytes of a file on the disk, unless something else has taken its place. */
export async function syncFile(path: string): Promise<void> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  await file.sync()
}

async function writeFile(path: string, { bytes, executable }: TreeFile, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(bytes)
  await file.chmod(executable ? 0o555 : 0o444)
  await file.sync()
}

/** Every folder of a package, its own (`.`) first and each before what is in it. */
function foldersOf(files: readonly TreeFile[]): readonly string[] {
  const folders = new Set(['.'])
  for (const { path } of files) {
    for (let folder = dirname(path); !folders.has(folder); folder = dirname(folder)) folders.add(folder)
  }
  return [...folders].sort((one, other) => one.length - other.length)
}
