import { packArchive } from '../archive/pack-archive.ts'
import { cameIn } from '../arrival.ts'
import { sourceErrors } from '../errors.ts'
import type { FetchedPackage, FetchOptions } from '../fetch/fetcher.ts'
import { sourceOf } from '../fetch/reference.ts'
import { lockText, type LockedArtifact, type LockFile } from '../lock/lock-file.ts'
import type { TreeFile } from '../read-tree.ts'
import { defaultBundleLimits, names, packageName, type BundleLimits } from './bundle-format.ts'

/** What a bundle is made of. */
export interface BundleParts {
  readonly lock: LockFile
  /** The package of an artifact, with the archive it came in where the lock names one. */
  readonly packageFor: (id: string, artifact: LockedArtifact, platform: string, options: FetchOptions) => Promise<FetchedPackage>
  readonly limits?: Partial<BundleLimits>
}

/**
 * Everything that a lock names in one `.tgz`: the lock, each package of each platform as it came, and what others say about it.
 * The same lock gives the same bytes, wherever and whenever, as long as nobody says more about a package. Errors: those of
 * fetchers, `FETCH_CHANGED`, `BUNDLE_TOO_LARGE`.
 */
export async function writeBundle({ lock, packageFor, limits = {} }: BundleParts, options: FetchOptions): Promise<Uint8Array> {
  const { bundleBytes } = { ...defaultBundleLimits, ...limits }
  const wanted = Object.entries(lock.plugins).flatMap(([id, { artifacts }]) =>
    Object.entries(artifacts).map(([platform, artifact]) => ({ id, platform, artifact, name: packageName(artifact) })),
  )
  const files = new Map<string, TreeFile>()
  const attestations: Record<string, unknown> = {}
  let sizeBytes = 0
  for (const [at, { id, platform, artifact, name }] of wanted.entries()) {
    if (files.has(name)) continue
    options.onProgress?.({ done: at, total: wanted.length, phase: `packing ${id}` })
    const fetched = await packageFor(id, artifact, platform, options)
    const bytes = bytesOf(fetched, artifact)
    sizeBytes += bytes.length
    if (sizeBytes > bundleBytes) throw sourceErrors.error('BUNDLE_TOO_LARGE', { limitBytes: bundleBytes })
    files.set(name, { path: name, bytes, executable: false })
    if (fetched.attestations.length > 0) attestations[name] = fetched.attestations
  }
  const sorted = Object.entries(attestations).sort(([one], [other]) => (one < other ? -1 : 1))
  const list = { bundleVersion: 1, attestations: Object.fromEntries(sorted) }
  const file = (path: string, text: string): TreeFile => ({ path, bytes: Buffer.from(text), executable: false })
  return packArchive([
    file(names.lock, lockText(lock)),
    file(names.list, `${JSON.stringify(list, undefined, 2)}\n`),
    ...files.values(),
  ])
}

function bytesOf(fetched: FetchedPackage, artifact: LockedArtifact): Uint8Array {
  const { tree, archiveBytes } = fetched
  if (tree.digest === artifact.digest && cameIn(artifact, fetched)) {
    if (artifact.archive === undefined) return packArchive(tree.files)
    if (archiveBytes !== undefined) return archiveBytes
  }
  const problem = 'what is there now is not what was locked'
  throw sourceErrors.error('FETCH_CHANGED', { place: sourceOf(artifact.place), problem })
}
