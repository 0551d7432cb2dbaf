import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PlatformError } from '@backplane/sdk'
import { defaultArchiveLimits, type ArchiveLimits } from '../../archive/archive-limits.ts'
import { readAtMost } from '../../archive/read-at-most.ts'
import { sourceErrors } from '../../errors.ts'
import { homeOf, refused, shownUrl, type HomeOptions } from '../fetch-home.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchOptions, PinnedPlace } from '../fetcher.ts'
import { guardedDownload, type Downloading } from '../guarded-download.ts'
import { localPath } from '../local-path.ts'
import { packageInArchive } from '../package-in-archive.ts'

/** Where relative paths begin, whom archives may be downloaded from, and what is too much. */
export interface ArchiveFetcherOptions extends Downloading {
  /** Default: the working directory. */
  readonly from?: string
  /** Places whose archives may be asked for by address, each with everything below its path. Default: none. */
  readonly places?: readonly HomeOptions[]
  readonly archiveLimits?: Partial<ArchiveLimits>
}

type ArchivePlace = Extract<PinnedPlace, { readonly kind: 'archive' }>

/**
 * Packages in archives: `./s3.tgz`, `file:///srv/s3.zip`, and `https://downloads.example.org/s3.tgz` where the options name
 * that place; nothing is downloaded unless they do. An archive has one version, the one it holds; what was locked of it and has
 * changed since is `FETCH_CHANGED`. A folder around everything is taken away. Errors: those of {@link guardedDownload} and of
 * archives, `FETCH_REFERENCE_INVALID`. Source: SECURITY 8.2.7.
 */
export function archiveFetcher(options: ArchiveFetcherOptions = {}): Fetcher {
  const { from = process.cwd(), archiveLimits: limits = {} } = options
  // The one that says most of an address counts, with its credential.
  const homes = (options.places ?? []).map(homeOf).sort((one, other) => other.url.pathname.length - one.url.pathname.length)
  const mostBytes = limits.archiveBytes ?? defaultArchiveLimits.archiveBytes
  /** What was read to tell its version, as long as somebody has its place in hand. */
  const known = new WeakMap<PinnedPlace, FetchedPackage>()

  const bytesAt = async (url: URL, fetchOptions: FetchOptions): Promise<Uint8Array> => {
    if (url.protocol === 'file:') return bytesOf(fileURLToPath(url), mostBytes, fetchOptions.signal)
    const home = homes.find((one) => one.url.origin === url.origin && url.pathname.startsWith(one.url.pathname))
    if (home === undefined) throw refused(shownUrl(url), 'archives are downloaded only from where the options say')
    const { bytes } = await guardedDownload(home, { url, mostBytes, type: 'archive' }, fetchOptions, options)
    return bytes
  }

  const read = async (url: URL, fetchOptions: FetchOptions): Promise<FetchedPackage & { readonly place: ArchivePlace }> => {
    const bytes = await bytesAt(url, fetchOptions)
    const { signal, keepArchive } = fetchOptions
    const reading = { place: shownUrl(url), topFolder: 'if-needed', limits, keepArchive, signal } as const
    const found = await packageInArchive(bytes, reading)
    return { ...found, place: { kind: 'archive', url: url.href, digest: found.archive } }
  }

  const versions = async (reference: string, fetchOptions: FetchOptions): Promise<readonly AvailableVersion[]> => {
    const fetched = await read(urlIn(reference, from), fetchOptions)
    const { place, manifest } = fetched
    known.set(place, fetched)
    const version: unknown = Reflect.get(Object(manifest), 'version')
    return typeof version === 'string' ? [{ version, place, manifest }] : []
  }

  const fetch = async (place: PinnedPlace, fetchOptions: FetchOptions): Promise<FetchedPackage> => {
    if (place.kind !== 'archive') throw new TypeError(`${place.kind} is no place of this fetcher`)
    const fetched = known.get(place) ?? (await read(urlIn(place.url, from), fetchOptions))
    if (fetched.archive === place.digest) return fetched
    throw sourceErrors.error('FETCH_CHANGED', {
      place: shownUrl(urlIn(place.url, from)),
      problem: 'its bytes are others than were locked',
    })
  }

  return { kind: 'archive', versions, fetch }
}

/** What a lock may keep of it: nothing but where it is. Errors: `FETCH_REFERENCE_INVALID`. */
function urlIn(reference: string, from: string): URL {
  const path = localPath(reference)
  if (path !== undefined) return pathToFileURL(resolve(from, path))
  const text = reference.replace(/^archive:/, '')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw invalid('the address', 'it is no address')
  if (`${url.search}${url.hash}${url.username}${url.password}` !== '') {
    throw invalid(shownUrl(url), 'there is more in it than where the archive is')
  }
  // A server may take what is escaped for a step to another folder than the one that is allowed.
  if (/%(?:2e|2f|5c|00)/i.test(url.pathname)) throw invalid(shownUrl(url), 'a dot or a slash in it is escaped')
  return url
}

function invalid(reference: string, problem: string): Error {
  return sourceErrors.error('FETCH_REFERENCE_INVALID', { reference, problem, example: './s3.tgz' })
}

async function bytesOf(path: string, mostBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return await readAtMost(path, mostBytes, signal)
  } catch (error) {
    const cause: unknown = error instanceof PlatformError ? error.cause : undefined
    if (!(cause instanceof Error) || Reflect.get(cause, 'code') !== 'ENOENT') throw error
    throw sourceErrors.error('FETCH_NOT_FOUND', { reference: path, reason: 'there is no such file' }, { cause })
  }
}
