import { resolve } from 'node:path'
import { readAttestations } from '../attestations.ts'
import { sourceErrors } from '../errors.ts'
import { defaultPackageLimits, type PackageLimits } from '../limits.ts'
import { manifestIn } from '../manifest-in.ts'
import { readTree } from '../read-tree.ts'
import { lookAtPackage } from '../tree-look.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchOptions, PinnedPlace } from './fetcher.ts'
import { localPath } from './local-path.ts'

/** Where relative paths begin, and what is too much. */
export interface DirectoryFetcherOptions {
  /** Default: the working directory. */
  readonly from?: string
  readonly limits?: Partial<PackageLimits>
}

/**
 * Packages in folders: `./s3`, `/srv/s3`, `directory:/srv/s3`. A folder has one version, the one it holds; what was locked of it
 * and has changed since is `FETCH_CHANGED`. Errors also: those of {@link readTree}, `SOURCE_MANIFEST_INVALID`.
 */
export function directoryFetcher(options: DirectoryFetcherOptions = {}): Fetcher {
  const { from = process.cwd() } = options
  const limits = { ...defaultPackageLimits, ...options.limits }

  const read = async (path: string, { signal }: FetchOptions): Promise<FetchedPackage> => {
    const look = lookAtPackage(path, 'folder', { limits, ignore: [] })
    if (look === undefined) throw sourceErrors.error('FETCH_NOT_FOUND', { reference: path, reason: 'there is no such folder' })
    const tree = await readTree(look, signal)
    const attestations = await readAttestations(path, limits)
    const manifest = manifestIn(tree.files, path)
    return { place: { kind: 'directory', path, digest: tree.digest }, tree, manifest, attestations }
  }

  const versions = async (reference: string, fetchOptions: FetchOptions): Promise<readonly AvailableVersion[]> => {
    const { place, manifest } = await read(resolve(from, localPath(reference) ?? reference), fetchOptions)
    const version: unknown = Reflect.get(Object(manifest), 'version')
    return typeof version === 'string' ? [{ version, place, manifest }] : []
  }

  const fetch = async (place: PinnedPlace, fetchOptions: FetchOptions): Promise<FetchedPackage> => {
    if (place.kind !== 'directory') throw new TypeError(`${place.kind} is no place of this fetcher`)
    const fetched = await read(place.path, fetchOptions)
    if (fetched.tree.digest === place.digest) return fetched
    throw sourceErrors.error('FETCH_CHANGED', { place: place.path, problem: 'its files are others than were locked' })
  }

  return { kind: 'directory', versions, fetch }
}
