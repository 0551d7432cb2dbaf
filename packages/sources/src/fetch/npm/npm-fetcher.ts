import type { Attestation } from '@backplane/trust'
import { defaultArchiveLimits, type ArchiveLimits } from '../../archive/archive-limits.ts'
import { sourceErrors } from '../../errors.ts'
import { downloadJson } from '../download-json.ts'
import { homeOf, refused, shownUrl, type FetchHome, type HomeOptions } from '../fetch-home.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchOptions, PinnedPlace } from '../fetcher.ts'
import { guardedDownload, type Downloading } from '../guarded-download.ts'
import { packageInArchive } from '../package-in-archive.ts'
import { integrityOf } from './integrity.ts'
import { isNpmName, parseNpmReference, scopeOf } from './npm-reference.ts'
import { searchRegistries, type NpmSearchReport } from './npm-search.ts'
import { fittingVersions, readPackument, type NpmVersion, type Packument } from './packument.ts'

/** Which registries there are, and what is too much. */
export interface NpmFetcherOptions extends Downloading {
  /**
   * By scope (`@acme`), and `*` for all other names. A scope is asked of its own registry and no other, so nobody can offer a
   * package of the same name elsewhere; what has no registry here is refused.
   */
  readonly registries: Readonly<Record<string, HomeOptions>>
  readonly archiveLimits?: Partial<ArchiveLimits>
  /** What a registry may say of one package, bytes. Default 4 MiB. */
  readonly packumentBytes?: number
  /** What a registry may answer for the attestations of one version, bytes. Default 2 MiB. */
  readonly attestationBytes?: number
}

/** A fetcher that also tells what there is. */
export interface SearchingNpmFetcher extends Fetcher {
  readonly kind: 'npm'
  /** Packages that say of themselves that they hold a plugin; see {@link searchRegistries}. */
  readonly search: (text: string, options: FetchOptions) => Promise<NpmSearchReport>
}

type NpmPlace = Extract<PinnedPlace, { readonly kind: 'npm' }>

const mib = 1024 * 1024

/** The short form has no publish times, which a lock knows already. */
const shortForm = 'application/vnd.npm.install-v1+json, application/json;q=0.5'

/** Attestations of one version beyond this many are not read. */
const mostAttestations = 16

/**
 * Packages of npm registries: `npm:@acme/s3@^1.2`. The tarball's one top folder is taken away; `plugin.json` lies beside
 * `package.json` and is all that counts of the two. No script runs and no dependency is fetched: a package is bundled. A version is pinned by the SHA-512 of
 * its tarball; one whose registry gives no SHA-512 is not taken, as SHA-1 can be forged. What a registry has of provenance comes with
 * the package, unjudged; where it says there is some and does not give it, that is an error. Errors: those of
 * {@link guardedDownload}, `FETCH_REFERENCE_INVALID`, `FETCH_CHANGED`.
 */
export function npmFetcher(options: NpmFetcherOptions): SearchingNpmFetcher {
  return new NpmFetcher(options)
}

class NpmFetcher implements SearchingNpmFetcher {
  readonly kind = 'npm'
  readonly #options: NpmFetcherOptions
  readonly #homes: ReadonlyMap<string, FetchHome>
  /** What was read when a place was chosen, as long as somebody has that place in hand. */
  readonly #chosen = new WeakMap<NpmPlace, NpmVersion>()

  constructor(options: NpmFetcherOptions) {
    this.#options = options
    const named = Object.entries(options.registries)
    this.#homes = new Map(named.map(([scope, registry]) => [checkedScope(scope), homeOf(registry)]))
  }

  async versions(reference: string, options: FetchOptions): Promise<readonly AvailableVersion[]> {
    const asked = parseNpmReference(reference)
    const registry = this.#homeFor(asked.name).url.href
    const packument = await this.#packument(asked.name, 'full', options)
    return fittingVersions(packument, asked, registry).map((found) => this.#offered(found, asked.name, registry))
  }

  async fetch(place: PinnedPlace, options: FetchOptions): Promise<FetchedPackage> {
    if (place.kind !== 'npm') throw new TypeError(`${place.kind} is no place of this fetcher`)
    if (!isNpmName(place.name)) throw refused(place.registry, 'what it is asked for is no name of a package')
    const home = this.#homeFor(place.name)
    if (home.url.href !== place.registry) throw refused(place.registry, `${place.name} is had from ${home.url.host} here`)
    const { tarball, attestations: said, publishedAtMs } = this.#chosen.get(place) ?? (await this.#look(place, options))
    const { archiveLimits: limits = {} } = this.#options
    const mostBytes = limits.archiveBytes ?? defaultArchiveLimits.archiveBytes
    const { bytes } = await guardedDownload(home, { url: tarball, mostBytes, type: 'archive' }, options, this.#options)
    if ((await integrityOf(bytes)) !== place.integrity) throw changed(place, 'its tarball has another SHA-512 than it must have')
    const { signal, keepArchive } = options
    const found = await packageInArchive(bytes, { place: nameOf(place), topFolder: 'strip', limits, keepArchive, signal })
    const withIt = said === undefined ? [] : await this.#attestations(said, home, options)
    const attestations = [...found.attestations, ...withIt]
    return { ...found, place, attestations, ...(publishedAtMs === undefined ? {} : { publishedAtMs }) }
  }

  search(text: string, options: FetchOptions): Promise<NpmSearchReport> {
    const { packumentBytes: mostBytes = 4 * mib } = this.#options
    return searchRegistries(text, { ...this.#options, homes: this.#homes, mostBytes }, options)
  }

  #homeFor(name: string): FetchHome {
    const home = this.#homes.get(scopeOf(name) ?? '*') ?? this.#homes.get('*')
    if (home !== undefined) return home
    throw refused(`npm:${name}`, `there is no registry for ${scopeOf(name) ?? 'names without a scope'}`)
  }

  async #packument(name: string, form: 'short' | 'full', options: FetchOptions): Promise<Packument> {
    const { packumentBytes: mostBytes = 4 * mib } = this.#options
    const home = this.#homeFor(name)
    const url = new URL(name.replace('/', '%2f'), home.url)
    const accept = form === 'short' ? shortForm : 'application/json'
    const value = await downloadJson(home, { url, accept, mostBytes }, options, this.#options)
    return readPackument(value, name, shownUrl(url))
  }

  #offered(found: NpmVersion, name: string, registry: string): AvailableVersion {
    const { version, integrity, deprecated, publishedAtMs } = found
    const place: NpmPlace = { kind: 'npm', registry, name, version, integrity }
    this.#chosen.set(place, found)
    return {
      version,
      place,
      ...(deprecated === undefined ? {} : { deprecated }),
      ...(publishedAtMs === undefined ? {} : { publishedAtMs }),
    }
  }

  /** A version of a lock, as its registry has it now. */
  async #look(place: NpmPlace, options: FetchOptions): Promise<NpmVersion> {
    const { versions, unusable } = await this.#packument(place.name, 'short', options)
    const found = versions.get(place.version)
    if (found?.integrity === place.integrity) return found
    if (found !== undefined || unusable.has(place.version)) throw changed(place, 'its registry gives another SHA-512 of it')
    throw sourceErrors.error('FETCH_NOT_FOUND', { reference: nameOf(place), reason: 'its registry does not have it any more' })
  }

  async #attestations(url: URL, home: FetchHome, options: FetchOptions): Promise<readonly Attestation[]> {
    const { attestationBytes: mostBytes = 2 * mib } = this.#options
    const answer = await downloadJson(home, { url, mostBytes }, options, this.#options)
    const place = shownUrl(url)
    const said: unknown = Reflect.get(Object(answer), 'attestations')
    if (Array.isArray(said))
      return said.slice(0, mostAttestations).map((one, at) => ({ file: `${place}#${at}`, content: bundleIn(one) }))
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem: 'there is no list of attestations in it' })
  }
}

function bundleIn(attestation: unknown): unknown {
  return Reflect.get(Object(attestation), 'bundle')
}

/** Errors: `FETCH_REFERENCE_INVALID`. */
function checkedScope(scope: string): string {
  if (scope === '*' || isNpmName(`${scope}/name`)) return scope
  const problem = 'it is neither a scope nor *'
  throw sourceErrors.error('FETCH_REFERENCE_INVALID', { reference: scope, problem, example: '@acme' })
}

function nameOf({ name, version }: NpmPlace): string {
  return `npm:${name}@${version}`
}

function changed(place: NpmPlace, problem: string): Error {
  return sourceErrors.error('FETCH_CHANGED', { place: nameOf(place), problem })
}
