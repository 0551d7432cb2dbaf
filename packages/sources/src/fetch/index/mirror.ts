import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packArchive } from '../../archive/pack-archive.ts'
import { bundleFetchers } from '../../bundle/bundle-fetchers.ts'
import type { Bundle } from '../../bundle/open-bundle.ts'
import type { FetchedPackage, FetchOptions } from '../fetcher.ts'
import { writeIndex, type IndexWriting, type WrittenIndex } from './write-index.ts'

/** A package for an index. */
export interface MirroredPackage {
  /** As people know it: `acme/s3 1.2.0`. */
  readonly name: string
  readonly fetched: FetchedPackage
}

/** What came of it. */
export interface WrittenMirror extends WrittenIndex {
  /**
   * Packages whose signatures lay beside their archive and not in it, which an index has no place for: who takes them from here
   * sees none of these.
   */
  readonly unsigned: readonly string[]
}

/**
 * Adds packages to the static index in a folder, or begins one, and signs it; what it has already stays as it is. A package
 * that came in no archive is packed, with what others say about it. Errors: those of {@link writeIndex}.
 */
export async function mirrorInto(
  folder: string,
  packages: AsyncIterable<MirroredPackage> | Iterable<MirroredPackage>,
  writing: IndexWriting,
): Promise<WrittenMirror> {
  const staging = await mkdtemp(join(tmpdir(), 'backplane-mirror-'))
  try {
    const unsigned: string[] = []
    const paths: string[] = []
    for await (const { name, fetched } of packages) {
      writing.signal.throwIfAborted()
      const path = join(staging, `${paths.length}.archive`)
      await writeFile(path, fetched.archiveBytes ?? packedWith(fetched))
      paths.push(path)
      const outside = fetched.attestations.filter(({ file }) => !isInside(file))
      if (outside.length > 0) unsigned.push(name)
    }
    return { ...(await writeIndex(folder, paths, writing)), unsigned }
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/**
 * The packages of a bundle, or those of some plugins of it; of each the one that is for all platforms, as an index has no others.
 * Errors: those of {@link bundleFetchers}.
 */
export async function* packagesIn(
  bundle: Bundle,
  ids: ReadonlySet<string> | undefined,
  options: FetchOptions,
): AsyncGenerator<MirroredPackage> {
  const [from] = bundleFetchers(bundle, 'any').fetchers
  for (const [id, { version, artifacts }] of Object.entries(bundle.lock.plugins)) {
    const artifact = artifacts['any']
    if (from === undefined || artifact === undefined || ids?.has(id) === false) continue
    const fetched = await from.fetch(artifact.place, options)
    const archiveBytes = artifact.archive === undefined ? undefined : bundle.packageOf(artifact)
    yield { name: `${id} ${version}`, fetched: { ...fetched, ...(archiveBytes === undefined ? {} : { archiveBytes }) } }
  }
}

function packedWith({ tree, attestations }: FetchedPackage): Uint8Array {
  const said = attestations
    .filter(({ file }) => isInside(file))
    .map(({ file, content }) => ({ path: file, bytes: Buffer.from(`${JSON.stringify(content)}\n`), executable: false }))
  return packArchive([...tree.files, ...said])
}

function isInside(file: string): boolean {
  return /^\.backplane\/[^/]+\.json$/.test(file)
}
