import { open, rename, rm, unlink } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Who may read it and whose it is. */
export interface FileMarks {
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * Writes a file so that at every moment it is whole, the old one or the new one, also when the power fails. `hostPath` is
 * free of links. What was there keeps its marks unless others are given.
 */
export async function replaceFile(hostPath: string, content: Uint8Array, marks: FileMarks | undefined): Promise<void> {
  const unfinished = unfinishedPath(hostPath)
  await rm(unfinished, { force: true })
  try {
    await writeWhole(unfinished, content, marks)
    await rename(unfinished, hostPath)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
  await flushDirectory(dirname(hostPath))
}

/** Where the new content stands until it is whole. The name is always the same, so that what a kill left behind is found. */
export function unfinishedPath(hostPath: string): string {
  return join(dirname(hostPath), `.${basename(hostPath)}.exliar-unfinished`)
}

/** Removes a file, for good also when the power fails. Answers whether there was one. */
export async function removeFile(hostPath: string): Promise<boolean> {
  try {
    await unlink(hostPath)
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return false
    throw error
  }
  await flushDirectory(dirname(hostPath))
  return true
}

/** Makes sure that names added to and taken from a directory stay so. */
export async function flushDirectory(hostPath: string): Promise<void> {
  await using directory = await open(hostPath, 'r')
  await directory.sync()
}

async function writeWhole(path: string, content: Uint8Array, marks: FileMarks | undefined): Promise<void> {
  await using file = await open(path, 'wx', marks?.mode ?? 0o644)
  await file.writeFile(content)
  if (marks !== undefined) {
    const stats: Stats = await file.stat()
    // Some file systems of boot partitions have no owners: what is right already is not asked for.
    if (stats.uid !== marks.uid || stats.gid !== marks.gid) await file.chown(marks.uid, marks.gid)
    if ((stats.mode & 0o7777) !== marks.mode) await file.chmod(marks.mode)
  }
  await file.sync()
}
