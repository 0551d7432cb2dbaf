import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { runtimeErrors } from '../errors.ts'

/** Granted paths as the permission model needs them. */
export interface GrantedPaths {
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

/**
 * The model matches paths as they are written and follows links that are there. So a path through a link is granted by
 * both its names, but a link itself is never granted for writing: it could be moved, and a link inside a directory of the
 * plugin's own leads out of it. A path that does not exist yet may become a file or a directory.
 * Errors: `RUNTIME_GRANT_UNUSABLE` for a path that would grant more than it says.
 */
export async function grantedPaths(
  grants: { readonly fsRead: readonly string[]; readonly fsWrite: readonly string[] },
  plugin: string,
): Promise<GrantedPaths> {
  const reads = await Promise.all(grants.fsRead.map(async (path) => namesOf(path, plugin)))
  const writes = await Promise.all(grants.fsWrite.map(async (path) => writableNames(path, await namesOf(path, plugin))))
  return { reads: [...new Set(reads.flat())], writes: [...new Set(writes.flat())] }
}

async function namesOf(path: string, plugin: string): Promise<readonly string[]> {
  const real = isAbsolute(path) && !path.includes('\0') ? await realpath(path).catch(() => undefined) : undefined
  if (!isAbsolute(path) || /[*\0]/.test(path) || real?.includes('*') === true) {
    throw runtimeErrors.error('RUNTIME_GRANT_UNUSABLE', { plugin, path }, { plugin })
  }
  return real === undefined ? [path, `${path}/*`] : [...new Set([path, real])]
}

async function writableNames(path: string, names: readonly string[]): Promise<readonly string[]> {
  const stats = await lstat(path).catch(() => undefined)
  return stats?.isSymbolicLink() === true ? names.filter((name) => name !== path && !name.startsWith(`${path}/`)) : names
}
