import { realpath } from 'node:fs/promises'
import { isAbsolute, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Fetcher } from '@backplane/sources/install'
import { hypersdkErrors } from '../errors.ts'

/**
 * A fetcher that reads of this machine only what lies below some directories, wherever links lead; of other machines it asks as
 * before. What does not lie there is refused alike whether it exists or not. Errors: `INSTALL_PATH_REFUSED`.
 */
export function onlyBelow(fetcher: Fetcher, directories: readonly string[]): Fetcher {
  return {
    kind: fetcher.kind,
    versions: async (reference, options) => {
      const path = pathIn(reference)
      const allowed = path === undefined ? reference : `${fetcher.kind}:${await checked(path, directories)}`
      return fetcher.versions(allowed, options)
    },
    fetch: async (place, options) => {
      if (place.kind === 'directory') await checked(place.path, directories)
      else if (place.kind === 'archive' && place.url.startsWith('file:')) await checked(fileURLToPath(place.url), directories)
      return fetcher.fetch(place, options)
    },
  }
}

/** The path a reference means; undefined for an address of another machine. */
function pathIn(reference: string): string | undefined {
  const text = reference.replace(/^(?:archive|directory):/, '')
  if (/^https?:/.test(text)) return undefined
  if (!text.startsWith('file:')) return text
  const url = text.startsWith('file:/') ? text : pathToFileURL(text.slice('file:'.length)).href
  return URL.canParse(url) ? fileURLToPath(url) : text
}

/** The path without links. */
async function checked(path: string, directories: readonly string[]): Promise<string> {
  const refused = (): Error => hypersdkErrors.error('INSTALL_PATH_REFUSED', { path })
  if (!isAbsolute(path)) throw refused()
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => resolve(directory))))
  const isBelow = (one: string): boolean => [...roots, ...directories].some((root) => one.startsWith(root + sep))
  const real = await realpath(path).catch(() => resolve(path))
  if (!isBelow(real)) throw refused()
  return real
}
