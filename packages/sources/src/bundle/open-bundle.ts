import { PlatformError } from '@backplane/sdk'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { z } from 'zod'
import { defaultArchiveLimits, type ArchiveLimits } from '../archive/archive-limits.ts'
import { readArchive, type Archive } from '../archive/read-archive.ts'
import { unpackArchive } from '../archive/unpack-archive.ts'
import { sourceErrors } from '../errors.ts'
import { readLockText, type LockedArtifact, type LockFile } from '../lock/lock-file.ts'
import { defaultBundleLimits, names, packageName, type BundleLimits, type BundleList } from './bundle-format.ts'

/** A bundle that holds all that its lock names, each archive with the bytes that the lock names. */
export interface Bundle {
  /** Where it is from, for people and policies: `bundle:/media/usb/plugins.bundle`. */
  readonly place: string
  /** `sha256:` of the whole. */
  readonly digest: string
  readonly lock: LockFile
  /** Of an artifact of the lock; undefined for one of another lock. */
  readonly packageOf: (artifact: LockedArtifact) => Uint8Array | undefined
  readonly attestations: BundleList['attestations']
}

/** How a bundle is read. */
export interface BundleReading {
  readonly place: string
  readonly limits?: Partial<BundleLimits>
  readonly signal: AbortSignal
}

const listDepth = 128

/** Shape of the list. What others say about a package is not believed, only carried. */
const ListShape = z.strictObject({
  bundleVersion: z.literal(1),
  attestations: z.record(z.string(), z.array(z.strictObject({ file: z.string().max(2_000), content: z.unknown() })).max(64)),
})

/**
 * Reads a bundle (a path, or its bytes) whole; nothing is written. Who made it is nobody's concern here: what it brings is planned,
 * judged and approved like anything else. Errors: `BUNDLE_INVALID`, `BUNDLE_INCOMPLETE`.
 */
export async function openBundle(source: Uint8Array | string, reading: BundleReading): Promise<Bundle> {
  const { place, signal } = reading
  const { bundleBytes, packageBytes, packages } = { ...defaultBundleLimits, ...reading.limits }
  const limits: ArchiveLimits = {
    ...defaultArchiveLimits,
    archiveBytes: bundleBytes,
    totalBytes: bundleBytes,
    fileBytes: packageBytes,
    files: packages + 2,
  }
  const archive = await coded(place, () => readArchive(source, limits, signal))
  const { files } = await coded(place, () => unpackArchive(archive, { topFolder: 'keep', signal }))
  const contents = new Map(files.map(({ path, bytes }) => [path, bytes]))
  const text = (name: string): string => {
    const bytes = contents.get(name)
    if (bytes === undefined) throw sourceErrors.error('BUNDLE_INCOMPLETE', { place, missing: name })
    return Buffer.from(bytes).toString('utf8')
  }
  const lock = await coded(place, async () => readLockText(text(names.lock), `${place}: ${names.lock}`))
  const list = listIn(text(names.list), place)
  checkPackages(lock, archive, place)
  return {
    place,
    digest: archive.digest,
    lock,
    packageOf: (artifact) => contents.get(packageName(artifact)),
    attestations: list.attestations,
  }
}

/** Each package of the lock is there with its bytes, and nothing else is. */
function checkPackages(lock: LockFile, { files }: Archive, place: string): void {
  const sums = new Map(files.map(({ path, sha256 }) => [path, sha256]))
  const known = new Set<string>([names.lock, names.list])
  for (const [id, { version, artifacts }] of Object.entries(lock.plugins)) {
    for (const [platform, artifact] of Object.entries(artifacts)) {
      const name = packageName(artifact)
      const sum = sums.get(name)
      known.add(name)
      if (sum === undefined) throw sourceErrors.error('BUNDLE_INCOMPLETE', { place, missing: `${id} ${version} for ${platform}` })
      if (artifact.archive === undefined || artifact.archive === `sha256:${sum}`) continue
      throw sourceErrors.error('BUNDLE_INVALID', { place, problem: `the bytes of ${id} ${version} are not those of its lock` })
    }
  }
  const strange = files.find(({ path }) => !known.has(path))
  if (strange !== undefined)
    throw sourceErrors.error('BUNDLE_INVALID', { place, problem: `its lock does not name ${strange.path}` })
}

function listIn(text: string, place: string): BundleList {
  const parsed = parseStrictJson(text, listDepth)
  const list = ListShape.safeParse(parsed.kind === 'value' ? parsed.value : undefined)
  if (list.success) return list.data
  throw sourceErrors.error('BUNDLE_INVALID', { place, problem: `${names.list} is of another shape` })
}

/** What its reader says of an archive is what is wrong with the bundle. */
async function coded<T>(place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code.startsWith('BUNDLE_')) throw error
    throw sourceErrors.error('BUNDLE_INVALID', { place, problem: error.message }, { cause: error })
  }
}
