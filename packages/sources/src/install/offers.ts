import type { Manifest } from '@backplane/sdk'
import { lt, valid } from 'semver'
import { sourceErrors } from '../errors.ts'
import { checkUnmoved } from '../fetch/check-unmoved.ts'
import type { AvailableVersion, FetchedPackage, FetchOptions } from '../fetch/fetcher.ts'
import { fetcherFor, sourceOf } from '../fetch/reference.ts'
import { artifactFor } from '../lock/installed.ts'
import type { LockedPlugin } from '../lock/lock-file.ts'
import { manifestIn } from '../manifest-in.ts'
import type { Release, Universe } from '../resolve/release.ts'
import type { PlanContext } from './make-plan.ts'

/** A version that was fetched. */
export interface Offer {
  readonly manifest: Manifest
  readonly fetched: FetchedPackage
}

/** What people ask for. */
export interface Wanted {
  /** By plugin id. */
  readonly requested: ReadonlyMap<string, string>
  /** Ids of what these changes add by a reference: these alone may become older. */
  readonly named: ReadonlySet<string>
}

/**
 * All versions a plan may choose from: what is locked, told from the store, and what the references lead to. Each package is
 * fetched at most once, and only when the choice depends on what it says of itself.
 */
export class Offers implements Universe {
  readonly #context: PlanContext
  readonly #wanted: Wanted
  readonly #options: FetchOptions
  readonly #available = new Map<string, Promise<readonly AvailableVersion[]>>()
  readonly #fetched = new Map<AvailableVersion, Promise<Offer>>()

  /** `wanted` may grow while the offers are in use. */
  constructor(context: PlanContext, wanted: Wanted, options: FetchOptions) {
    this.#context = context
    this.#wanted = wanted
    this.#options = options
  }

  /** The plugin a reference leads to: what the best of its versions says. Errors: `FETCH_NOT_FOUND` and those of {@link release}. */
  async idOf(reference: string): Promise<string> {
    const [best] = await this.#versionsAt(reference)
    if (best === undefined) throw sourceErrors.error('FETCH_NOT_FOUND', { reference, reason: 'no version of it fits' })
    const { manifest } = await this.#offer(best)
    return manifest.id
  }

  /**
   * What is installed goes back to an older version only when somebody names it: neither a source that has lost versions nor a
   * plugin that asks for an old one decides that. Errors: `FETCH_CHANGED` for a name that leads elsewhere since it was locked, and
   * those of the fetcher.
   */
  readonly versions = async (id: string): Promise<readonly string[]> => {
    const locked = this.#context.lock.plugins[id]
    const reference = this.#referenceOf(id)
    const available = reference === undefined ? [] : await this.#versionsAt(reference)
    const place = locked === undefined ? undefined : artifactFor(locked, this.#context.platform)?.place
    if (locked !== undefined && place !== undefined) {
      for (const each of available) checkUnmoved({ version: locked.version, place }, each)
    }
    const found = available.map(({ version }) => version)
    if (locked === undefined) return found
    const newer = this.#wanted.named.has(id) ? found : found.filter((version) => !isOlder(version, locked.version))
    return newer.includes(locked.version) ? newer : [...newer, locked.version]
  }

  readonly release = async (id: string, version: string): Promise<Release> => {
    const offer = await this.taken(id, version)
    if (offer !== undefined) return releaseOf(offer.manifest)
    const locked = this.#context.lock.plugins[id]
    const manifest = locked?.version === version ? await this.#lockedManifest(id, locked) : undefined
    if (manifest !== undefined) return releaseOf(manifest)
    throw new Error(`nobody has ${id} ${version}`)
  }

  readonly providers = async (capability: string): Promise<readonly string[]> => {
    const ids = Object.keys(this.#context.lock.plugins)
    const manifests = await Promise.all(ids.map((id) => this.#lockedManifest(id, this.#context.lock.plugins[id])))
    return ids.filter((_, at) => Object.hasOwn(manifests[at]?.provides ?? {}, capability))
  }

  /** The package of a version that does not stand in the lock already. Errors: those of its fetcher, `INSTALL_WRONG_ID`. */
  async taken(id: string, version: string): Promise<Offer | undefined> {
    const reference = this.#referenceOf(id)
    const locked = this.#context.lock.plugins[id]
    // what is there because others need it stays, wherever such things are looked for now
    const asked = this.#wanted.requested.get(id)
    const isKept = locked?.version === version && (asked === undefined || asked === locked.requested)
    if (isKept && (await this.#lockedManifest(id, locked)) !== undefined) return undefined
    const available =
      reference === undefined ? undefined : (await this.#versionsAt(reference)).find((one) => one.version === version)
    if (available === undefined) return undefined
    const offer = await this.#offer(available)
    const found = offer.manifest.id
    if (found === id) return offer
    const place = sourceOf(available.place)
    throw sourceErrors.error('INSTALL_WRONG_ID', { place, found, plugin: id }, { plugin: id })
  }

  #referenceOf(id: string): string | undefined {
    return this.#wanted.requested.get(id) ?? this.#context.referenceOf?.(id)
  }

  #versionsAt(reference: string): Promise<readonly AvailableVersion[]> {
    const known = this.#available.get(reference)
    if (known !== undefined) return known
    const asked = fetcherFor(this.#context.fetchers, reference).versions(reference, this.#options)
    this.#available.set(reference, asked)
    return asked
  }

  #offer(available: AvailableVersion): Promise<Offer> {
    const offer = this.#fetched.get(available) ?? this.#fetch(available)
    this.#fetched.set(available, offer)
    return offer
  }

  async #fetch({ version, place }: AvailableVersion): Promise<Offer> {
    const { fetchers, acceptManifest } = this.#context
    const fetcher = fetchers.find(({ kind }) => kind === place.kind)
    if (fetcher === undefined) throw new TypeError(`no fetcher for ${place.kind}`)
    const fetched = await fetcher.fetch(place, this.#options)
    const where = sourceOf(place)
    // of the bytes that will be stored, whatever the source says beside them
    const manifest = acceptManifest(manifestIn(fetched.tree.files, where), `${where}: plugin.json`)
    if (manifest.version === version) return { manifest, fetched }
    const problem = `its manifest says version ${manifest.version}, its source ${version}`
    throw sourceErrors.error('INSTALL_MANIFEST', { place: where, problem }, { plugin: manifest.id })
  }

  async #lockedManifest(id: string, locked: LockedPlugin | undefined): Promise<Manifest | undefined> {
    return locked === undefined ? undefined : this.#context.manifestOf(id, locked)
  }
}

function isOlder(version: string, than: string): boolean {
  return valid(version) !== null && valid(than) !== null && lt(version, than)
}

function releaseOf({ id, version, requires, dependencies = [], provides = {} }: Manifest): Release {
  return {
    id,
    version,
    api: requires.api,
    dependencies: dependencies.map(({ optional = false, ...dependency }) => ({ ...dependency, optional })),
    provides,
    requires: requires.capabilities ?? {},
  }
}
