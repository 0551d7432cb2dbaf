import { valid } from 'semver'
import type { ArchiveLimits } from '../../archive/archive-limits.ts'
import { sourceErrors } from '../../errors.ts'
import { packageInArchive } from '../package-in-archive.ts'
import { isPluginId, type IndexedVersion } from './index-format.ts'

/** A package as an index lists it. */
export interface IndexedRelease {
  readonly id: string
  readonly version: string
  /** Where its archive is to be, from the index's folder. */
  readonly archive: string
  readonly listed: IndexedVersion
}

/** How an archive becomes a release. */
export interface ReleaseReading {
  /** Its path, for errors. */
  readonly place: string
  readonly publishedAt: string
  readonly limits: Partial<ArchiveLimits>
  readonly signal: AbortSignal
}

/** Reads an archive whole, as whoever installs it does. Errors: those of archives, `SOURCE_MANIFEST_INVALID`, `INDEX_INVALID`. */
export async function indexedRelease(bytes: Uint8Array, reading: ReleaseReading): Promise<IndexedRelease> {
  const { place, publishedAt, limits, signal } = reading
  const { manifest, archive: digest } = await packageInArchive(bytes, { place, topFolder: 'if-needed', limits, signal })
  const { id, version, description, tags, permissions, dependencies } = Object(manifest) as Readonly<Record<string, unknown>>
  if (typeof id !== 'string' || !isPluginId(id)) throw invalid(place, 'its plugin.json has no id of the form publisher/name')
  if (typeof version !== 'string' || valid(version) !== version) throw invalid(place, 'its plugin.json has no version')
  const archive = `archives/${id}-${version}.${bytes[0] === gzipMagic ? 'tgz' : 'zip'}`
  const listed = {
    archive,
    digest,
    sizeBytes: bytes.length,
    publishedAt,
    permissions: textsIn(permissions).sort(),
    dependencies: needsIn(dependencies),
    ...(typeof description === 'string' ? { description: description.slice(0, 1_000) } : {}),
    ...(tags === undefined ? {} : { tags: textsIn(tags).slice(0, 50) }),
  }
  return { id, version, archive, listed }
}

const gzipMagic = 0x1f

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
}

/** Ids and ranges of what it needs. */
function needsIn(value: unknown): Readonly<Record<string, string>> {
  const needs = Array.isArray(value) ? (value as readonly unknown[]) : []
  return Object.fromEntries(
    needs.flatMap((need) => {
      const { id, range, optional } = Object(need) as Readonly<Record<string, unknown>>
      return typeof id === 'string' && typeof range === 'string' && optional !== true ? [[id, range]] : []
    }),
  )
}

function invalid(place: string, problem: string): Error {
  return sourceErrors.error('INDEX_INVALID', { place, problem })
}
