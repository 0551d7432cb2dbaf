import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Removes a directory with all that a plugin left in it, or nothing when it is not there. By moving directories into one
 * another a plugin can nest them deeper than a path is long; then the system's own `rm` does it, which walks.
 */
export async function removeDirectory(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'ENAMETOOLONG') throw error
    await run('rm', ['-rf', '--', path])
  }
}
