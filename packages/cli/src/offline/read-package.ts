import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { archiveFetcher, directoryFetcher, type FetchedPackage } from '@backplane/sources/install'
import { backplaneErrors } from '../errors.ts'
import { unreadable } from './file-text.ts'

/** A package that lies here, read whole; nothing of it has run. */
export interface LocalPackage {
  /** Where it lies, absolute. */
  readonly path: string
  readonly id: string
  readonly version: string
  readonly fetched: FetchedPackage
  /** As policies name where it is from. */
  readonly source: string
}

const { signal } = new AbortController()

/** Reads a folder or an archive. Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID`, those of archives and trees. */
export async function readPackage(
  path: string,
  { keepArchive = false }: { readonly keepArchive?: boolean } = {},
): Promise<LocalPackage> {
  const place = resolve(path)
  const stats = await stat(place).catch(unreadable(path))
  const fetcher = stats.isDirectory() ? directoryFetcher() : archiveFetcher()
  const reference = `${fetcher.kind}:${place}`
  const options = { signal, keepArchive }
  const [found] = await fetcher.versions(reference, options)
  const fetched = found === undefined ? undefined : await fetcher.fetch(found.place, options)
  const id: unknown = Reflect.get(Object(fetched?.manifest), 'id')
  if (found !== undefined && fetched !== undefined && typeof id === 'string') {
    return { path: place, id, version: found.version, fetched, source: reference }
  }
  const hint = 'Write id and version into its plugin.json.'
  throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'its plugin.json has no id or no version', hint })
}
