import { Dir, Stats } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** What a directory holds. */
export interface DirectoryUse {
  /** On the disk. */
  readonly bytes: number
  /** Files and folders, without the directory itself. */
  readonly files: number
  /** A directory in it that could not be looked into: what it holds is in no count. */
  readonly uncounted?: string
}

const blockBytes = 512

/**
 * Counts what is in a directory, until it is more than `most`: then the rest is not looked at. Links are not followed. Who
 * owns the directory may keep others from looking into a part of it, or nest it deeper than a path is long; that is said.
 */
export async function directoryUse(directory: string, most: DirectoryUse): Promise<DirectoryUse> {
  let [bytes, files] = [0, 0]
  const waiting = [directory]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const opened = await opendir(path).catch((error: unknown) => error)
    if (!(opened instanceof Dir)) {
      if (Reflect.get(Object(opened), 'code') === 'ENOENT') continue
      return { bytes, files, uncounted: relative(directory, path) }
    }
    for await (const entry of opened) {
      const own = join(path, entry.name)
      // What goes away meanwhile holds nothing.
      const stats = await lstat(own).catch((error: unknown) => Reflect.get(Object(error), 'code') as unknown)
      if (stats === 'ENOENT') continue
      if (!(stats instanceof Stats)) return { bytes, files, uncounted: relative(directory, path) }
      files += 1
      bytes += stats.blocks * blockBytes
      if (bytes > most.bytes || files > most.files) return { bytes, files }
      if (stats.isDirectory()) waiting.push(own)
    }
  }
  return { bytes, files }
}
