import { hash } from 'node:crypto'
import { PlatformError } from '@backplane/sdk'
import { sourceErrors } from '../../errors.ts'
import { downloadJson, jsonIn } from '../download-json.ts'
import { homeOf, refused, shownUrl, type Credential, type FetchHome, type HomeOptions } from '../fetch-home.ts'
import type { FetchOptions } from '../fetcher.ts'
import { challengeOf, guardedDownload, type Downloaded, type Downloading } from '../guarded-download.ts'
import { readChallenge } from './challenge.ts'
import { indexType, manifestType } from './media-types.ts'
import type { OciLimits } from './oci-limits.ts'
import { readManifestText, type ArtifactIndex, type ArtifactManifest, type Descriptor } from './oci-manifest.ts'
import { isTag, type OciReference } from './oci-reference.ts'
import { requestOfRegistry, type RegistryAnswer, type RegistryRequest } from './registry-request.ts'

/** A registry that packages may come from. */
export interface OciRegistry extends Omit<HomeOptions, 'url'> {
  /** Default: `https://`, its name, and a slash. */
  readonly url?: string
  /** Other hosts that may give tokens for it, and are shown its credential for that: `auth.example.org`. Default: none. */
  readonly tokensFrom?: readonly string[]
}

/** What is asked of a repository, and may be needed of rights. */
export interface OciAccess {
  readonly downloading: Downloading
  readonly registries: Readonly<Record<string, OciRegistry>>
  readonly limits: OciLimits
  readonly actions: 'pull' | 'pull,push'
}

/** A manifest as it came, and its digest. */
export interface FoundManifest {
  readonly digest: string
  readonly sizeBytes: number
  readonly manifest: ArtifactManifest | ArtifactIndex
}

/**
 * One repository of a registry, for one operation: a token is kept as long as this is. Source: OCI distribution 1.1.
 */
export class OciRepository {
  /** `oci:registry.example.org/acme/s3`. */
  readonly place: string
  readonly #home: FetchHome
  readonly #registry: OciRegistry
  readonly #repository: string
  readonly #access: OciAccess
  readonly #options: FetchOptions
  #credential: Credential | undefined

  /** Errors: `FETCH_ADDRESS_REFUSED` for a registry that nobody named. */
  constructor({ registry: name, repository }: OciReference, access: OciAccess, options: FetchOptions) {
    const registry = Object.hasOwn(access.registries, name) ? access.registries[name] : undefined
    if (registry === undefined) throw refused(name, 'it is none of the registries packages may come from')
    this.place = `oci:${name}/${repository}`
    this.#registry = registry
    this.#repository = repository
    this.#access = access
    this.#options = options
    this.#home = { ...homeOf({ ...registry, url: registry.url ?? `https://${name}/` }), credential: () => this.#credential }
  }

  /** The manifest of a tag or a digest. Errors: `FETCH_NOT_FOUND`, `FETCH_CHANGED`, `FETCH_RESPONSE_INVALID`. */
  async manifest(reference: string): Promise<FoundManifest> {
    const accept = `${manifestType}, ${indexType}`
    const { bytes, headers } = await this.#get(`manifests/${reference}`, this.#access.limits.manifestBytes, accept)
    const digest = `sha256:${hash('sha256', bytes)}`
    if (reference.startsWith('sha256:') && digest !== reference) {
      throw sourceErrors.error('FETCH_CHANGED', { place: `${this.place}@${reference}`, problem: `what came is ${digest}` })
    }
    const manifest = readManifestText(bytes, headers['content-type'], this.place)
    return { digest, sizeBytes: bytes.length, manifest }
  }

  /** As `manifest`; undefined when there is none. */
  async manifestIfAny(reference: string): Promise<FoundManifest | undefined> {
    return orNothing(this.manifest(reference))
  }

  /** What a descriptor says, checked to the last byte. Errors: `FETCH_CHANGED`, `FETCH_NOT_FOUND`, `FETCH_TOO_LARGE`. */
  async blob({ digest, size }: Descriptor, mostBytes: number): Promise<Uint8Array> {
    if (size > mostBytes)
      throw sourceErrors.error('FETCH_TOO_LARGE', { place: `${this.place}@${digest}`, limit: `${mostBytes} bytes` })
    const { bytes } = await this.#get(`blobs/${digest}`, size)
    const found = `sha256:${hash('sha256', bytes)}`
    if (bytes.length === size && found === digest) return bytes
    throw sourceErrors.error('FETCH_CHANGED', { place: `${this.place}@${digest}`, problem: `what came is ${found}` })
  }

  /** All tags. Errors: `FETCH_TOO_LARGE`, `FETCH_RESPONSE_INVALID` for a list that goes on and on with the same. */
  async tags(): Promise<readonly string[]> {
    const { tags: most, manifestBytes } = this.#access.limits
    const found = new Set<string>()
    for (let path: string | undefined = 'tags/list?n=1000'; path !== undefined;) {
      const { bytes, headers } = await this.#get(path, manifestBytes)
      const tags: unknown = Reflect.get(Object(jsonIn(bytes, this.place)), 'tags')
      const page = Array.isArray(tags) ? tags.filter(isTag) : []
      const known = found.size
      for (const tag of page) found.add(tag)
      if (found.size > most) throw sourceErrors.error('FETCH_TOO_LARGE', { place: this.place, limit: `${most} tags` })
      const last = page.at(-1)
      const isMore = last !== undefined && /;\s*rel="?next"?/.test(String(headers['link'] ?? ''))
      if (isMore && found.size === known) {
        throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place: this.place, problem: 'its list of tags has no end' })
      }
      path = isMore ? `tags/list?n=1000&last=${encodeURIComponent(last)}` : undefined
    }
    return [...found]
  }

  /** What says that it is about a manifest; undefined when the registry does not know such questions. */
  async referrers(digest: string): Promise<ArtifactIndex | undefined> {
    const answer = await orNothing(this.#get(`referrers/${digest}`, this.#access.limits.manifestBytes, indexType))
    if (answer === undefined) return undefined
    const manifest = readManifestText(answer.bytes, answer.headers['content-type'], this.place)
    return manifest.kind === 'index' ? manifest : undefined
  }

  /** Asks for a change; `path` is below the repository, or an address the registry gave. */
  async ask(request: Omit<RegistryRequest, 'url' | 'credential'>, path: string | URL): Promise<RegistryAnswer> {
    const url = typeof path === 'string' ? this.#urlOf(path) : path
    const send = (): Promise<RegistryAnswer> => {
      const credential = this.#credential === undefined ? {} : { credential: this.#credential }
      return requestOfRegistry(this.#home, { ...request, url, ...credential }, this.#options.signal, this.#access.downloading)
    }
    const answer = await send()
    if (answer.status !== 401 || this.#credential !== undefined) return answer
    this.#credential = await this.#credentialFor(answer.headers['www-authenticate'])
    return this.#credential === undefined ? answer : send()
  }

  /** Absolute, or below the repository. */
  addressOf(location: string): URL {
    if (URL.canParse(location, this.#home.url)) return new URL(location, this.#home.url)
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place: this.place, problem: 'it leads to what is no address' })
  }

  #urlOf(path: string): URL {
    return new URL(`v2/${this.#repository}/${path}`, this.#home.url)
  }

  async #get(path: string, mostBytes: number, accept?: string): Promise<Downloaded> {
    const wanted = { url: this.#urlOf(path), mostBytes, type: 'any', ...(accept === undefined ? {} : { accept }) } as const
    const get = (): Promise<Downloaded> => guardedDownload(this.#home, wanted, this.#options, this.#access.downloading)
    try {
      return await get()
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'FETCH_DENIED' || this.#credential !== undefined) throw error
      this.#credential = await this.#credentialFor(challengeOf(error))
      if (this.#credential === undefined) throw error
      return await get()
    }
  }

  /** What answers a challenge; undefined when nothing does. Asked for what is needed, whatever the registry proposes. */
  async #credentialFor(header: unknown): Promise<Credential | undefined> {
    const own = await this.#registry.credential?.(this.#options.signal)
    if (own?.kind === 'bearer') return own
    const challenge = readChallenge(header)
    if (challenge?.kind === 'basic') return own
    if (challenge === undefined) return undefined
    const url = this.#tokenUrl(challenge.realm)
    url.searchParams.set('scope', `repository:${this.#repository}:${this.#access.actions}`)
    if (challenge.service !== undefined) url.searchParams.set('service', challenge.service)
    const { allowHttp = false } = this.#registry
    const home = homeOf({ url: url.origin, allowHttp, ...(own === undefined ? {} : { credential: () => own }) })
    const answer = await downloadJson(home, { url, mostBytes: mostTokenBytes }, this.#options, this.#access.downloading)
    const { token, access_token: other } = Object(answer) as Readonly<Record<string, unknown>>
    const text = typeof token === 'string' ? token : other
    if (typeof text === 'string' && /^[\x21-\x7e]+$/.test(text)) return { kind: 'bearer', token: text }
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place: shownUrl(url), problem: 'there is no token in it' })
  }

  #tokenUrl(realm: string): URL {
    const url = URL.canParse(realm) ? new URL(realm) : undefined
    const isNamed =
      url !== undefined && (url.host === this.#home.url.host || this.#registry.tokensFrom?.includes(url.host) === true)
    if (isNamed) return url
    throw refused(url?.host ?? 'the place of its tokens', `${this.#home.url.host} leads there for a token, and nobody named it`)
  }
}

const mostTokenBytes = 64 * 1024

async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'FETCH_NOT_FOUND') return undefined
    throw error
  }
}
