import { lutimes } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { z } from 'zod'
import type { MachineTree } from '../machine/machine-tree.ts'
import { sha256 } from './backup-store.ts'

/** A file as it was: what it held, by hash, and whose it was. */
export const FileMark = z.object({
  sha256: z.string(),
  mode: z.int(),
  uid: z.int(),
  gid: z.int(),
  /** Milliseconds since 1970, with fractions. */
  modifiedMs: z.number(),
})
export type FileMark = z.output<typeof FileMark>

/** Undefined: there is no file. */
export function markOf(tree: MachineTree, path: string): FileMark | undefined {
  const content = tree.readBytes(path, Number.POSITIVE_INFINITY)
  const stat = tree.stat(path)
  if (content === undefined || stat === undefined) return undefined
  const { mode, uid, gid } = stat
  return { sha256: sha256(content), mode, uid, gid, modifiedMs: statSync(tree.hostPath(path)).mtimeMs }
}

/** Makes a file what it was, its time too. */
export async function restoreFile(
  tree: MachineTree,
  path: string,
  { mark, content }: { mark: FileMark; content: Buffer },
): Promise<void> {
  const { mode, uid, gid } = mark
  await tree.write(path, content, { mode, uid, gid })
  await restoreTime(tree, path, mark)
}

/** Its time only. */
export async function restoreTime(tree: MachineTree, path: string, { modifiedMs }: FileMark): Promise<void> {
  using pinned = tree.pin(path)
  await lutimes(pinned.path, modifiedMs / 1000, modifiedMs / 1000)
}
