import { realpath } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { runtimeErrors } from '../errors.ts'

/**
 * Granted paths as the permission model needs them. It matches paths as they are written and follows links that are
 * there, so a path through a link is granted by both its names; one that does not exist yet may become a directory.
 * Errors: `RUNTIME_GRANT_UNUSABLE` for a path that would grant more than it says.
 */
export async function grantedPaths(paths: readonly string[], plugin: string): Promise<readonly string[]> {
  const granted = await Promise.all(paths.map(async (path) => namesOf(path, plugin)))
  return [...new Set(granted.flat())]
}

async function namesOf(path: string, plugin: string): Promise<readonly string[]> {
  if (!isAbsolute(path) || path.includes('*') || path.includes('\0')) {
    throw runtimeErrors.error('RUNTIME_GRANT_UNUSABLE', { plugin, path }, { plugin })
  }
  const real = await realpath(path).catch(() => undefined)
  if (real?.includes('*') === true) throw runtimeErrors.error('RUNTIME_GRANT_UNUSABLE', { plugin, path: real }, { plugin })
  return real === undefined ? [path, `${path}/*`] : [path, real]
}
