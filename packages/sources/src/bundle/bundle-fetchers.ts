import { isDeepStrictEqual } from 'node:util'
import { cameIn } from '../arrival.ts'
import { sourceErrors } from '../errors.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchKind, FetchOptions, PinnedPlace } from '../fetch/fetcher.ts'
import { packageInArchive } from '../fetch/package-in-archive.ts'
import { sourceOf } from '../fetch/reference.ts'
import type { Change } from '../install/plan.ts'
import { artifactFor } from '../lock/installed.ts'
import type { LockedArtifact, LockedPlugin } from '../lock/lock-file.ts'
import { packageName } from './bundle-format.ts'
import type { Bundle } from './open-bundle.ts'

/** What an installer is given for a bundle in the place of what it fetches with. */
export interface BundleFetching {
  readonly fetchers: readonly Fetcher[]
  /** All that is in it. */
  readonly changes: readonly Change[]
  readonly referenceOf: (id: string) => string
}

const kinds: readonly FetchKind[] = ['npm', 'git', 'oci', 'index', 'archive', 'directory']
const ownReference = 'index:in-this-bundle:'

/**
 * Fetchers for all kinds of places that have what a bundle holds and nothing else: each package is held against the digests of
 * the bundle's lock, and says of itself that it came by a bundle, for a policy that takes a source without signatures takes
 * no bundle that only says it is from there. Errors of `fetch`: `FETCH_CHANGED`, `FETCH_NOT_FOUND`, those of archives.
 */
export function bundleFetchers(bundle: Bundle, platform: string): BundleFetching {
  const plugins = Object.entries(bundle.lock.plugins)
  const asked = (id: string, { requested }: LockedPlugin): string => requested ?? `${ownReference}${id}`
  const versions = async (reference: string): Promise<readonly AvailableVersion[]> => {
    const found = plugins.find(([id, plugin]) => asked(id, plugin) === reference || `${ownReference}${id}` === reference)
    const artifact = found === undefined ? undefined : artifactFor(found[1], platform)
    return found === undefined || artifact === undefined ? [] : [{ version: found[1].version, place: artifact.place }]
  }
  const fetch = async (place: PinnedPlace, options: FetchOptions): Promise<FetchedPackage> => {
    const own = plugins.find(([, plugin]) => isDeepStrictEqual(artifactFor(plugin, platform)?.place, place))?.[1]
    const artifact = own === undefined ? undefined : artifactFor(own, platform)
    if (own === undefined || artifact === undefined) {
      throw sourceErrors.error('FETCH_NOT_FOUND', { reference: sourceOf(place), reason: `${bundle.place} does not hold it` })
    }
    for (const other of Object.values(own.artifacts)) if (other !== artifact) await packageIn(bundle, other, options)
    const { publishedAtMs } = artifact
    return {
      ...(await packageIn(bundle, artifact, options)),
      place,
      source: bundle.place,
      ...(publishedAtMs === undefined ? {} : { publishedAtMs }),
      ...(own.artifacts['any'] !== undefined && Object.keys(own.artifacts).length === 1 ? {} : { platforms: own.artifacts }),
    }
  }
  return {
    fetchers: kinds.map((kind) => ({ kind, versions, fetch })),
    changes: plugins.flatMap(([, { requested }]) => (requested === undefined ? [] : [{ kind: 'add', reference: requested }])),
    referenceOf: (id) => `${ownReference}${id}`,
  }
}

type Read = Omit<FetchedPackage, 'place'>

async function packageIn(bundle: Bundle, artifact: LockedArtifact, { signal }: FetchOptions): Promise<Read> {
  const place = sourceOf(artifact.place)
  const bytes = bundle.packageOf(artifact)
  if (bytes === undefined)
    throw sourceErrors.error('FETCH_NOT_FOUND', { reference: place, reason: `${bundle.place} does not hold it` })
  const topFolder = artifact.place.kind === 'npm' ? 'strip' : 'if-needed'
  const { archive, archiveSha512, ...read } = await packageInArchive(bytes, { place, topFolder, signal })
  const attestations = bundle.attestations[packageName(artifact)] ?? []
  // a tree that came in no archive is packed for the bundle alone
  const came = artifact.archive === undefined ? {} : { archive, archiveSha512 }
  if (read.tree.digest === artifact.digest && cameIn(artifact, came)) return { ...read, ...came, attestations }
  throw sourceErrors.error('FETCH_CHANGED', { place, problem: `${bundle.place} holds other bytes of it than its lock names` })
}
