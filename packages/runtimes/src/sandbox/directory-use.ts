import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** What a directory holds. */
export interface DirectoryUse {
  /** On the disk. */
  readonly bytes: number
  /** Files and folders, without the directory itself. */
  readonly files: number
}

const blockBytes = 512

/** Counts what is in a directory, until it is more than `most`: then the rest is not looked at. Links are not followed. */
export async function directoryUse(directory: string, most: DirectoryUse): Promise<DirectoryUse> {
  let [bytes, files] = [0, 0]
  const waiting = [directory]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for await (const entry of await opendir(path)) {
      const own = join(path, entry.name)
      // What goes away meanwhile holds nothing.
      const stats = await lstat(own).catch(() => undefined)
      if (stats === undefined) continue
      files += 1
      bytes += stats.blocks * blockBytes
      if (bytes > most.bytes || files > most.files) return { bytes, files }
      if (stats.isDirectory()) waiting.push(own)
    }
  }
  return { bytes, files }
}
