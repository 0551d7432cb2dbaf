import { parseStrictJson } from '@backplane/sdk/strict-json'
import type { Attestation } from '@backplane/trust'
import { readArchive, type Archive } from '../archive/read-archive.ts'
import type { ArchiveLimits } from '../archive/archive-limits.ts'
import { unpackArchive } from '../archive/unpack-archive.ts'
import { attestationFolder } from '../attestations.ts'
import { defaultPackageLimits } from '../limits.ts'
import { manifestIn } from '../manifest-in.ts'
import type { PackageTree, TreeFile } from '../read-tree.ts'
import { digestAside } from './digest-aside.ts'

/** What an archive holds, as {@link import('./fetcher.ts').FetchedPackage} wants it, but for its place. */
export interface PackageInArchive {
  readonly tree: PackageTree
  readonly manifest: unknown
  readonly archive: string
  readonly archiveSha512: string
  /** Where it was asked for. */
  readonly archiveBytes?: Uint8Array
  readonly attestations: readonly Attestation[]
}

/** How an archive is read. */
export interface ArchiveReading {
  /** Where it is from, for errors. */
  readonly place: string
  /** `if-needed`: only where `plugin.json` does not lie at the top. */
  readonly topFolder: 'strip' | 'if-needed'
  readonly limits?: Partial<ArchiveLimits>
  readonly keepArchive?: boolean | undefined
  readonly signal: AbortSignal
}

/** The package of an archive, listed and validated whole, in memory. Errors: every `ARCHIVE_…`, `SOURCE_MANIFEST_INVALID`. */
export async function packageInArchive(bytes: Uint8Array, reading: ArchiveReading): Promise<PackageInArchive> {
  const { place, limits = {}, signal } = reading
  const archive = await readArchive(bytes, limits, signal)
  const topFolder = reading.topFolder === 'strip' || !hasManifest(archive) ? 'strip' : 'keep'
  const { files, digest, hidden } = await unpackArchive(archive, { topFolder, signal })
  const manifest = manifestIn(files, place)
  return {
    tree: { files, digest },
    manifest,
    archive: archive.digest,
    archiveSha512: `sha512:${(await digestAside('SHA-512', bytes)).toString('hex')}`,
    attestations: attestationsAmong(hidden),
    ...(reading.keepArchive === true ? { archiveBytes: bytes } : {}),
  }
}

function hasManifest({ files }: Archive): boolean {
  return files.some(({ path }) => path === 'plugin.json')
}

/** What others say about the package; see `readAttestations`. */
export function attestationsAmong(hidden: readonly TreeFile[]): readonly Attestation[] {
  const { manifestBytes, manifestDepth } = defaultPackageLimits
  return hidden
    .filter(({ path }) => path.startsWith(`${attestationFolder}/`) && path.split('/').length === 2 && path.endsWith('.json'))
    .sort((one, other) => (one.path < other.path ? -1 : 1))
    .slice(0, mostAttestations)
    .map(({ path, bytes }) => {
      const text = bytes.length > manifestBytes ? '' : Buffer.from(bytes).toString('utf8')
      const parsed = parseStrictJson(text, manifestDepth)
      return { file: path, content: parsed.kind === 'value' ? parsed.value : `${path} is not JSON that has one meaning` }
    })
}

/** Files beyond this many are not read. */
const mostAttestations = 64
