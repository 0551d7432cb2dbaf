import { statfs } from 'node:fs/promises'
import type { DirectoryUse } from './directory-use.ts'

/** What a file system has left. */
export interface FreeSpace {
  readonly bytes: number
  /** Files and folders; where it does not say, always the same. */
  readonly files: number
}

/** What the file system that holds a directory has left. */
export async function freeSpaceOf(directory: string): Promise<FreeSpace> {
  const { bfree, bsize, ffree } = await statfs(directory)
  return { bytes: bfree * bsize, files: ffree }
}

/** Longest between two counts, ms: others may free what a plugin takes. */
const longestMs = 5_000
/** Counting takes at most one part in so many of the time. */
const restPerCount = 20

/**
 * When what a directory holds is to be counted again. That costs with every file; what its file system has left costs one
 * question. As long as that has gone down by less than the directory may still take, the directory cannot be full.
 */
export class DataSchedule {
  readonly #most: DirectoryUse
  #counted: { readonly use: DirectoryUse; readonly free: FreeSpace; readonly atMs: number; readonly restMs: number } | undefined

  constructor(most: DirectoryUse) {
    this.#most = most
  }

  /** Whether the directory may hold too much by now, or was not counted for long. */
  isDue(free: FreeSpace, nowMs: number): boolean {
    if (this.#counted === undefined) return true
    const { use, free: before, atMs, restMs } = this.#counted
    const sinceMs = nowMs - atMs
    if (sinceMs >= longestMs) return true
    if (sinceMs < restMs) return false
    return before.bytes - free.bytes > this.#most.bytes - use.bytes || before.files - free.files > this.#most.files - use.files
  }

  /** It was counted: what it held, what was free before, and how long that took. */
  counted(use: DirectoryUse, free: FreeSpace, { tookMs, nowMs }: { readonly tookMs: number; readonly nowMs: number }): void {
    this.#counted = { use, free, atMs: nowMs, restMs: tookMs * restPerCount }
  }
}
