import { maxSatisfying, rcompare, satisfies, valid } from 'semver'
import { sourceErrors } from '../../errors.ts'
import { sha512In } from './integrity.ts'
import { isNpmTag, type NpmReference } from './npm-reference.ts'

/** What a registry says of a package, as far as it is needed; nothing of it is believed but what a digest binds. */
export interface Packument {
  /** By version. */
  readonly versions: ReadonlyMap<string, NpmVersion>
  /** Versions nobody can pin, with the reason. */
  readonly unusable: ReadonlyMap<string, string>
  readonly tags: ReadonlyMap<string, string>
}

/** One version, as its registry says. */
export interface NpmVersion {
  readonly version: string
  /** `sha512-…`. */
  readonly integrity: string
  readonly tarball: URL
  /** Where what others say of it can be had. */
  readonly attestations?: URL
  readonly deprecated?: string
  readonly publishedAtMs?: number
}

/** Reads what a registry answered for `name`. Errors: `FETCH_RESPONSE_INVALID`. */
export function readPackument(value: unknown, name: string, place: string): Packument {
  const packument = recordOf(value)
  if (packument === undefined) throw invalid(place, 'it is no object')
  if (packument['name'] !== name) throw invalid(place, `it is not about ${name}`)
  const times = recordOf(packument['time']) ?? {}
  const versions = new Map<string, NpmVersion>()
  const unusable = new Map<string, string>()
  for (const [version, said] of Object.entries(recordOf(packument['versions']) ?? {})) {
    if (valid(version) !== version) continue
    const read = readVersion(recordOf(said) ?? {}, { name, version, published: own(times, version) })
    if (typeof read === 'string') unusable.set(version, read)
    else versions.set(version, read)
  }
  const tags = Object.entries(recordOf(packument['dist-tags']) ?? {}).flatMap(([tag, to]): [string, string][] =>
    isNpmTag(tag) && typeof to === 'string' ? [[tag, to]] : [],
  )
  return { versions, unusable, tags: new Map(tags) }
}

interface Identity {
  readonly name: string
  readonly version: string
  readonly published: unknown
}

/** The version, or why nobody can use it. */
function readVersion(said: Readonly<Record<string, unknown>>, { name, version, published }: Identity): NpmVersion | string {
  if (said['name'] !== name || said['version'] !== version) return 'it calls itself otherwise'
  const dist = recordOf(said['dist']) ?? {}
  const integrity = sha512In(dist['integrity'])
  if (integrity === undefined) return 'its registry gives no SHA-512 of it'
  const tarball = urlOf(dist['tarball'])
  if (tarball === undefined) return 'its registry gives no address of it'
  const attestations = urlOf(recordOf(dist['attestations'])?.['url'])
  const deprecated = said['deprecated']
  const publishedAtMs = typeof published === 'string' ? Date.parse(published) : Number.NaN
  return {
    version,
    integrity,
    tarball,
    ...(attestations === undefined ? {} : { attestations }),
    ...(typeof deprecated === 'string' && deprecated !== '' ? { deprecated: printable(deprecated) } : {}),
    ...(Number.isNaN(publishedAtMs) ? {} : { publishedAtMs }),
  }
}

/**
 * The versions a reference asks for, best first: what `latest` leads to where that fits, then by SemVer; what is deprecated
 * comes last. Errors: `FETCH_NOT_FOUND`, `FETCH_RESPONSE_INVALID` where all that fits cannot be pinned.
 */
export function fittingVersions(packument: Packument, asked: NpmReference, place: string): readonly NpmVersion[] {
  const { versions, unusable, tags } = packument
  const isWanted = wishOf(packument, asked)
  const latest = tags.get('latest')
  const fitting = [...versions.values()].filter(({ version }) => isWanted(version))
  if (fitting.length > 0) {
    const rank = ({ version, deprecated }: NpmVersion): number => (deprecated !== undefined ? 2 : version === latest ? 0 : 1)
    return fitting.sort((one, other) => rank(one) - rank(other) || rcompare(one.version, other.version))
  }
  const unpinned = [...unusable].find(([version]) => isWanted(version))
  if (unpinned !== undefined) throw invalid(place, `${asked.name} ${unpinned[0]} cannot be pinned: ${unpinned[1]}`)
  const newest = maxSatisfying([...versions.keys()], '*', { includePrerelease: true })
  const reason = newest === null ? 'it has no version' : `its newest version is ${newest}, which does not fit`
  throw sourceErrors.error('FETCH_NOT_FOUND', { reference: `npm:${asked.name}`, reason })
}

/** Errors: `FETCH_NOT_FOUND` for a tag that is not there. */
function wishOf({ tags }: Packument, { name, wanted }: NpmReference): (version: string) => boolean {
  switch (wanted.kind) {
    case 'any': {
      const latest = tags.get('latest')
      return (version) => version === latest || satisfies(version, '*')
    }
    case 'range':
      return (version) => satisfies(version, wanted.range)
    case 'tag': {
      const to = tags.get(wanted.tag)
      if (to !== undefined) return (version) => version === to
      const known = [...tags.keys()].slice(0, 8).join(', ')
      const reason = `it has no tag ${wanted.tag}; it has ${known === '' ? 'none' : known}`
      throw sourceErrors.error('FETCH_NOT_FOUND', { reference: `npm:${name}@${wanted.tag}`, reason })
    }
  }
}

/** For terminals, which take control characters for commands. */
function printable(text: string): string {
  return text.slice(0, 500).replaceAll(/\p{C}/gu, ' ')
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return value as Readonly<Record<string, unknown>>
}

function own(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function urlOf(value: unknown): URL | undefined {
  return typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
}

function invalid(place: string, problem: string): Error {
  return sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem })
}
