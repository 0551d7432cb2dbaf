import { closeSync, constants, openSync, readlinkSync } from 'node:fs'
import { basename, dirname } from 'node:path'

const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** A path by which a file is reached through its directory, wherever somebody moves that meanwhile. */
export interface PinnedPath extends Disposable {
  readonly path: string
}

/**
 * Holds on to the directory of `hostPath`, which is free of links. Whoever owns the tree may put a link in place of one of
 * its directories between the look and the use; what is opened is asked where it is. Errors: those of the operating system,
 * and one with a sentence when the directory is another by now.
 */
export function pinPath(hostPath: string): PinnedPath {
  const directory = dirname(hostPath)
  const descriptor = openSync(directory, flags)
  const pinned = `/proc/self/fd/${descriptor}`
  try {
    if (readlinkSync(pinned) !== directory) throw new Error('somebody moves what is above it')
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  return { path: `${pinned}/${basename(hostPath)}`, [Symbol.dispose]: () => closeSync(descriptor) }
}
