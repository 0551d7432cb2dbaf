import { realpath } from 'node:fs/promises'
import { isAbsolute, resolve, sep } from 'node:path'
import { localPath, type Fetcher } from '@backplane/sources/install'
import { hypersdkErrors } from '../errors.ts'

/**
 * A fetcher that reads of this machine only what lies below some directories, wherever links lead; of other machines it asks as
 * before. What does not lie there is refused alike whether it exists or not. Errors: `INSTALL_PATH_REFUSED`, `FETCH_REFERENCE_INVALID`.
 */
export function onlyBelow(fetcher: Fetcher, directories: readonly string[]): Fetcher {
  return {
    kind: fetcher.kind,
    versions: async (reference, options) => {
      const path = localPath(reference)
      const allowed = path === undefined ? reference : `${fetcher.kind}:${await checkedPath(path, directories)}`
      return fetcher.versions(allowed, options)
    },
    fetch: async (place, options) => {
      const path = place.kind === 'directory' ? place.path : place.kind === 'archive' ? localPath(place.url) : undefined
      if (path !== undefined) await checkedPath(path, directories)
      return fetcher.fetch(place, options)
    },
  }
}

/** A path without the links in it, which must lead below one of these. Errors: `INSTALL_PATH_REFUSED`. */
export async function checkedPath(path: string, directories: readonly string[]): Promise<string> {
  const refused = (): Error => hypersdkErrors.error('INSTALL_PATH_REFUSED', { path })
  if (!isAbsolute(path)) throw refused()
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => resolve(directory))))
  const isBelow = (one: string): boolean => [...roots, ...directories].some((root) => one.startsWith(root + sep))
  const real = await realpath(path).catch(() => resolve(path))
  if (!isBelow(real)) throw refused()
  return real
}
