import { link, lstat, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { replacedSuffix } from './file-names.ts'

/*
 * With `overwrite`, what an export replaces is kept beside it under a name of its own until all of the export is in
 * place: whatever happens meanwhile, either all of the old files come back or all of the new ones take over.
 */

/** Keeps a file that is about to be replaced; one that is kept already stays as it is. */
export async function keepReplaced(path: string, exportId: string): Promise<void> {
  const kept = path + replacedSuffix(exportId)
  if (await isThere(kept)) return
  // A second name, so that the first is never missing; where the file system has none, it is for a moment.
  await link(path, kept).catch(() => rename(path, kept))
}

/** Takes a file out of sight until it is brought back or forgotten; nothing happens where there is none. */
export async function setAside(path: string, exportId: string): Promise<void> {
  const kept = path + replacedSuffix(exportId)
  if ((await isThere(path)) && !(await isThere(kept))) await rename(path, kept)
}

/** Brings back whatever an export replaced in a directory. */
export async function restoreReplaced(directory: string, exportId: string): Promise<void> {
  for (const { path, kept } of await replacedIn(directory, exportId)) {
    await rename(kept, path)
    // Renaming between two names of one file does nothing at all.
    await unlink(kept).catch(() => undefined)
  }
}

/** Lets go of what an export replaced: all of the new is in place, so nothing that goes wrong here matters. */
export async function forgetReplaced(directory: string, exportId: string): Promise<void> {
  for (const { kept } of await replacedIn(directory, exportId)) await unlink(kept).catch(() => undefined)
}

async function replacedIn(directory: string, exportId: string): Promise<{ readonly path: string; readonly kept: string }[]> {
  const suffix = replacedSuffix(exportId)
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => ({ path: join(directory, name.slice(0, -suffix.length)), kept: join(directory, name) }))
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
