import { lstatSync, type Stats } from 'node:fs'
import type { SeenEntry } from './tree-look.ts'

/** What a stat says of one file; any write to it or in its place changes it. */
export type FileStamp = readonly [inode: number, sizeBytes: number, modifiedMs: number, changedMs: number]

/** The stamp of a file that a look saw. */
export function stampOf({ inode, sizeBytes, modifiedMs, changedMs }: SeenEntry): FileStamp {
  return [inode, sizeBytes, modifiedMs, changedMs]
}

/** Whether the file at `path` is a regular one and has this stamp; not when it cannot be looked at. */
export function hasStamp(path: string, stamp: FileStamp): boolean {
  try {
    const stats = lstatSync(path, quietly)
    return stats?.isFile() === true && isSame(stats, stamp)
  } catch {
    return false
  }
}

const quietly = { throwIfNoEntry: false } as const

function isSame({ ino, size, mtimeMs, ctimeMs }: Stats, [inode, sizeBytes, modifiedMs, changedMs]: FileStamp): boolean {
  return ino === inode && size === sizeBytes && mtimeMs === modifiedMs && ctimeMs === changedMs
}
