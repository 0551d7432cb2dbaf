import { lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sourceErrors } from './errors.ts'
import { isLeftover } from './staging-name.ts'
import { removeTree } from './write-tree.ts'

/** Makes a folder (0700) and refuses one that others may write to. Errors: `SOURCE_STORE_UNSAFE`. */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const stats = await lstat(path)
  const refuse = (problem: string): Error => sourceErrors.error('SOURCE_STORE_UNSAFE', { path, problem })
  if (!stats.isDirectory()) throw refuse('is not a folder')
  if ((stats.mode & 0o022) !== 0) throw refuse('may be written to by other users')
}

/** Removes from a folder what processes that were killed left of their staging. Not there is fine. */
export async function removeLeftovers(path: string): Promise<void> {
  const names = await readdir(path).catch(() => [])
  await Promise.all(names.filter(isLeftover).map((name) => removeTree(join(path, name))))
}
