import { didYouMean, PlatformError } from '@backplane/sdk'
import type { Advisory } from '@backplane/trust'
import { rcompare, satisfies } from 'semver'
import { defaultArchiveLimits, type ArchiveLimits } from '../../archive/archive-limits.ts'
import { sourceErrors } from '../../errors.ts'
import { refused } from '../fetch-home.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchOptions, PinnedPlace } from '../fetcher.ts'
import type { Downloading } from '../guarded-download.ts'
import { packageInArchive } from '../package-in-archive.ts'
import { IndexCopies, type IndexCopy } from './index-copies.ts'
import type { IndexedPlugin, IndexedVersion, IndexEntry } from './index-format.ts'
import { IndexMemory } from './index-memory.ts'
import { parseIndexReference, type IndexReference } from './index-reference.ts'
import { StaticIndex, type IndexOptions } from './static-index.ts'

/** Which indexes there are, and what is too much. */
export interface IndexFetcherOptions extends Downloading {
  /** By the name that references, policies and locks call it. */
  readonly indexes: Readonly<Record<string, IndexOptions>>
  /**
   * File that keeps which version of each index was seen, so that an older one is refused also after a restart; without
   * it, that is known only as long as this fetcher lives. To put another index in the place of one, remove its entry.
   */
  readonly memory?: string
  /**
   * Folder of this host that keeps what each index said when it could last be read, to search in and to be warned by while it
   * cannot; without it, that is known only as long as this fetcher lives.
   */
  readonly copies?: string
  readonly archiveLimits?: Partial<ArchiveLimits>
  /** `index.json` and the file of one plugin, bytes. Default 16 MiB. */
  readonly fileBytes?: number
  /** How long an index counts as read, ms. Default 10 000. */
  readonly freshMs?: number
  /** Default: the system's clock. ms since the epoch. */
  readonly now?: () => number
}

/** A plugin that an index has. */
export interface IndexHit {
  readonly index: string
  readonly id: string
  readonly latest: string
  readonly description?: string
  readonly tags?: readonly string[]
  /** When the index that says so was signed, as it writes it: a while ago where it cannot be read now. */
  readonly asOf: string
}

/** What several indexes answered, and why some could not be read: of those it is what they said before. */
export interface IndexReport<T> {
  readonly found: readonly T[]
  readonly problems: readonly { readonly index: string; readonly error: PlatformError }[]
}

/** A fetcher that also tells what there is. */
export interface IndexFetcher extends Fetcher {
  readonly kind: 'index'
  /** Plugins with every word of a text in their id, description or tags, best first. Lists all for the empty text. */
  readonly search: (text: string, options: FetchOptions) => Promise<IndexReport<IndexHit>>
  /** All versions of one plugin, of a reference without its range. Errors: as of `versions`. */
  readonly info: (reference: string, options: FetchOptions) => Promise<IndexedPlugin & { readonly index: string }>
  /**
   * What the indexes warn of now, for the policy of the verdict. Only an index that is signed, in time and newer takes back what it
   * warned of.
   */
  readonly advisories: (options: FetchOptions) => Promise<IndexReport<Advisory>>
  /** The same of what they said when they could last be read; asks nobody. */
  readonly keptAdvisories: () => Promise<IndexReport<Advisory>>
}

type IndexPlace = Extract<PinnedPlace, { readonly kind: 'index' }>

/**
 * Packages of static indexes: `index:acme/s3@^1.2`, or `index:corp:acme/s3` where several indexes have it. An index is a folder of files on any web
 * server or disk whose `index.json` is signed, expires and only grows; the digests in it bind every other file, so who serves
 * them need not be trusted. Errors: those of {@link guardedDownload} and of archives, `FETCH_REFERENCE_INVALID`, `FETCH_CHANGED`,
 * `INDEX_UNSIGNED`, `INDEX_EXPIRED`, `INDEX_ROLLED_BACK`, `INDEX_INVALID`, `INDEX_PATH_ESCAPES`, `INDEX_AMBIGUOUS`.
 */
export function indexFetcher(options: IndexFetcherOptions): IndexFetcher {
  const { archiveLimits: limits = {}, fileBytes = 16 * 1024 * 1024, freshMs = 10_000, now = Date.now } = options
  const [memory, copies] = [new IndexMemory(options.memory), new IndexCopies(options.copies)]
  const reading = { ...options, memory, copies, fileBytes, freshMs, now }
  const indexes = new Map(
    Object.entries(options.indexes).map(([name, one]) => [name, new StaticIndex(checkedName(name), one, reading)]),
  )
  const chosen = new WeakMap<IndexPlace, number>()

  const info: IndexFetcher['info'] = async (reference, fetchOptions) => {
    const { index, id, entry } = await find(indexes, parseIndexReference(reference), fetchOptions)
    return { index: index.name, ...(await index.plugin(id, entry, fetchOptions)) }
  }

  const versions: Fetcher['versions'] = async (reference, fetchOptions) => {
    const asked = parseIndexReference(reference)
    const { index, id, versions: known } = await info(reference, fetchOptions)
    const fitting = Object.entries(known).filter(([version]) => satisfies(version, asked.range))
    if (fitting.length === 0) {
      const reason = `no version fits ${asked.range}; there are ${Object.keys(known).sort(rcompare).slice(0, 5).join(', ')}`
      throw sourceErrors.error('FETCH_NOT_FOUND', { reference: `index:${index}:${id}`, reason })
    }
    const offered = fitting.map(([version, said]) => offeredAs(index, version, said))
    for (const { place, publishedAtMs } of offered) chosen.set(place, publishedAtMs)
    const last = ({ deprecated }: AvailableVersion): number => (deprecated === undefined ? 0 : 1)
    return offered.sort((one, other) => last(one) - last(other) || rcompare(one.version, other.version))
  }

  const fetch = async (place: PinnedPlace, fetchOptions: FetchOptions): Promise<FetchedPackage> => {
    if (place.kind !== 'index') throw new TypeError(`${place.kind} is no place of this fetcher`)
    const { index: name, url: path, digest } = place
    const index = indexes.get(name)
    if (index === undefined) throw refused(`index:${name}`, 'there is no index of that name')
    const mostBytes = limits.archiveBytes ?? defaultArchiveLimits.archiveBytes
    const bytes = await index.bytes({ path, digest }, mostBytes, fetchOptions)
    const { signal, keepArchive } = fetchOptions
    const from = `index:${name}:${path}`
    const found = await packageInArchive(bytes, { place: from, topFolder: 'if-needed', limits, keepArchive, signal })
    const publishedAtMs = chosen.get(place)
    return { ...found, place, ...(publishedAtMs === undefined ? {} : { publishedAtMs }) }
  }

  const search: IndexFetcher['search'] = async (text, fetchOptions) => {
    const words = text
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '')
    const { said, problems } = await report(indexes, (index) => index.refresh(fetchOptions))
    const found = said.flatMap(({ index, copy }) => hitsIn(index, copy, words))
    const rank = ({ id }: IndexHit): number => (words.includes(id) || words.includes(id.split('/')[1] ?? '') ? 0 : 1)
    return { found: found.toSorted((one, other) => rank(one) - rank(other) || (one.id < other.id ? -1 : 1)), problems }
  }

  const advisories: IndexFetcher['advisories'] = async (fetchOptions) =>
    warned(await report(indexes, (index) => index.refresh(fetchOptions, 0)))
  const keptAdvisories: IndexFetcher['keptAdvisories'] = async () => warned(await report(indexes, (index) => index.copy()))

  return { kind: 'index', versions, fetch, search, info, advisories, keptAdvisories }
}

type Indexes = ReadonlyMap<string, StaticIndex>

interface Found {
  readonly index: StaticIndex
  readonly id: string
  readonly entry: IndexEntry
}

/** Every index is asked, so that none which cannot be asked lets another take its place. */
async function find(indexes: Indexes, { index: wanted, id }: IndexReference, options: FetchOptions): Promise<Found> {
  const asked = wanted === undefined ? [...indexes.values()] : [named(indexes, wanted)]
  const documents = await Promise.all(asked.map(async (index) => ({ index, document: await index.document(options) })))
  const found = documents.flatMap(({ index, document: { plugins } }): Found[] => {
    const entry = Object.hasOwn(plugins, id) ? plugins[id] : undefined
    return entry === undefined ? [] : [{ index, id, entry }]
  })
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  if (first !== undefined) {
    const names = found.map(({ index }) => index.name)
    const example = `index:${first.index.name}:${id}`
    throw sourceErrors.error('INDEX_AMBIGUOUS', { plugin: id, indexes: names.join(', '), example }, { plugin: id })
  }
  const known = documents.flatMap(({ document }) => Object.keys(document.plugins))
  const reason = `no index has it${didYouMean(id, known)}`
  throw sourceErrors.error('FETCH_NOT_FOUND', { reference: `index:${id}`, reason })
}

/** Errors: `FETCH_REFERENCE_INVALID`. */
function checkedName(name: string): string {
  // What every object has cannot be a member of the JSON that indexes are remembered in.
  if (/^[a-z0-9][a-z0-9-]*$/.test(name) && !(name in {})) return name
  const problem = 'a name of an index is made of small letters, digits and -, and is not "constructor"'
  throw sourceErrors.error('FETCH_REFERENCE_INVALID', { reference: `index:${name}`, problem, example: 'index:acme/s3@^1.2' })
}

function named(indexes: Indexes, name: string): StaticIndex {
  const index = indexes.get(name)
  if (index !== undefined) return index
  const problem = `there is no index ${name}${didYouMean(name, indexes.keys())}`
  throw sourceErrors.error('FETCH_REFERENCE_INVALID', { reference: `index:${name}`, problem, example: 'index:acme/s3@^1.2' })
}

function offeredAs(
  index: string,
  version: string,
  { archive, digest, publishedAt, deprecated }: IndexedVersion,
): AvailableVersion & { readonly place: IndexPlace; readonly publishedAtMs: number } {
  const place: IndexPlace = { kind: 'index', index, url: archive, digest }
  const publishedAtMs = Date.parse(publishedAt)
  return { version, place, publishedAtMs, ...(deprecated === undefined ? {} : { deprecated }) }
}

function hitsIn(index: string, { document }: IndexCopy, words: readonly string[]): readonly IndexHit[] {
  return Object.entries(document.plugins).flatMap(([id, { latest, description, tags }]): IndexHit[] => {
    const text = [id, description, ...(tags ?? [])].join('\n').toLowerCase()
    if (!words.every((word) => text.includes(word))) return []
    const said = { ...(description === undefined ? {} : { description }), ...(tags === undefined ? {} : { tags }) }
    return [{ index, id, latest, ...said, asOf: document.issued }]
  })
}

interface Said {
  readonly said: readonly { readonly index: string; readonly copy: IndexCopy }[]
  readonly problems: IndexReport<unknown>['problems']
}

/** Asks each; one that fails hides no other, and what it said before stays. */
async function report(indexes: Indexes, ask: (index: StaticIndex) => Promise<IndexCopy | undefined>): Promise<Said> {
  const said: { index: string; copy: IndexCopy }[] = []
  const problems: { index: string; error: PlatformError }[] = []
  for (const index of indexes.values()) {
    let copy: IndexCopy | undefined
    try {
      copy = await ask(index)
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      problems.push({ index: index.name, error })
      copy = await index.copy().catch(() => undefined)
    }
    if (copy !== undefined) said.push({ index: index.name, copy })
  }
  return { said, problems }
}

function warned({ said, problems }: Said): IndexReport<Advisory> {
  return { found: said.flatMap(({ copy }) => copy.advisories), problems }
}
