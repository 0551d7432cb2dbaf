import { Dir, lstatSync, opendirSync, Stats } from 'node:fs'
import { join, relative } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

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
/** Entries looked at in one turn, a fraction of a millisecond: asked for one by one in the background, each costs twenty times that. */
const entriesPerTurn = 64

/**
 * Counts what is in a directory, until it is more than `most`: then the rest is not looked at. Links are not followed. Who
 * owns the directory may keep others from looking into a part of it, or nest it deeper than a path is long; that is said.
 */
export async function directoryUse(directory: string, most: DirectoryUse): Promise<DirectoryUse> {
  let [bytes, files] = [0, 0]
  let looked = 0
  const waiting = [directory]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const opened = orCode(() => opendirSync(path))
    if (opened === 'ENOENT') continue
    if (!(opened instanceof Dir)) return { bytes, files, uncounted: relative(directory, path) }
    using entries = opened
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      if (++looked % entriesPerTurn === 0) await turn()
      const own = join(path, entry.name)
      // What goes away meanwhile holds nothing.
      const stats = orCode(() => lstatSync(own))
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

/** What `ask` answers, or the code it failed with. */
function orCode(ask: () => unknown): unknown {
  try {
    return ask()
  } catch (error) {
    return Reflect.get(Object(error), 'code')
  }
}
