import { hash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import type { Attestation } from '@backplane/trust'
import { readArchive, type Archive } from '../archive/read-archive.ts'
import type { ArchiveLimits } from '../archive/archive-limits.ts'
import { unpackArchive } from '../archive/unpack-archive.ts'
import { attestationFolder } from '../attestations.ts'
import { sourceErrors } from '../errors.ts'
import { jsonProblem } from '../json-problem.ts'
import { defaultPackageLimits } from '../limits.ts'
import type { PackageTree, TreeFile } from '../read-tree.ts'

/** What an archive holds, as {@link import('./fetcher.ts').FetchedPackage} wants it, but for its place. */
export interface PackageInArchive {
  readonly tree: PackageTree
  readonly manifest: unknown
  readonly archive: string
  readonly archiveSha512: string
  readonly attestations: readonly Attestation[]
}

/** How an archive is read. */
export interface ArchiveReading {
  /** Where it is from, for errors. */
  readonly place: string
  /** `if-needed`: only where `plugin.json` does not lie at the top. */
  readonly topFolder: 'strip' | 'if-needed'
  readonly limits?: Partial<ArchiveLimits>
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
    archiveSha512: `sha512:${hash('sha512', bytes)}`,
    attestations: attestationsAmong(hidden),
  }
}

function hasManifest({ files }: Archive): boolean {
  return files.some(({ path }) => path === 'plugin.json')
}

/** `plugin.json` at the top of these files. Errors: `SOURCE_MANIFEST_INVALID`, `SOURCE_TOO_LARGE`. */
export function manifestIn(files: readonly TreeFile[], place: string): unknown {
  const file = files.find(({ path }) => path === 'plugin.json')
  if (file === undefined) throw invalid(place, { problem: 'there is no plugin.json in it', line: 1, column: 1 })
  if (file.bytes.length > defaultPackageLimits.manifestBytes) {
    const limit = `${defaultPackageLimits.manifestBytes} bytes, the limit of a manifest`
    throw sourceErrors.error('SOURCE_TOO_LARGE', { path: `${place}: plugin.json`, limit })
  }
  if (!isUtf8(file.bytes)) throw invalid(place, { problem: 'the file is not UTF-8', line: 1, column: 1 })
  const text = Buffer.from(file.bytes).toString('utf8')
  const parsed = parseStrictJson(text, defaultPackageLimits.manifestDepth)
  if (parsed.kind === 'value') return parsed.value
  throw invalid(place, jsonProblem(text, parsed))
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

function invalid(place: string, where: { readonly problem: string; readonly line: number; readonly column: number }): Error {
  const path = `${place}: plugin.json`
  return sourceErrors.error('SOURCE_MANIFEST_INVALID', { path, ...where }, { details: { path, ...where } })
}
