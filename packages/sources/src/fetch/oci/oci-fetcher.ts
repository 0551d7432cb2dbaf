import { hash } from 'node:crypto'
import { rcompare, satisfies, valid } from 'semver'
import { defaultArchiveLimits, type ArchiveLimits } from '../../archive/archive-limits.ts'
import { sourceErrors } from '../../errors.ts'
import { defaultPackageLimits } from '../../limits.ts'
import { jsonIn } from '../download-json.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchOptions, PinnedPlace, PlatformPackage } from '../fetcher.ts'
import type { Downloading } from '../guarded-download.ts'
import { packageInArchive, type PackageInArchive } from '../package-in-archive.ts'
import { defaultOciLimits, type OciLimits } from './oci-limits.ts'
import { packageLayerOf, type ArtifactIndex, type ArtifactManifest } from './oci-manifest.ts'
import { readOciReference, versionOf, type OciReference } from './oci-reference.ts'
import { OciRepository, type FoundManifest, type OciRegistry } from './oci-repository.ts'
import { attestationsAbout } from './referrers.ts'

/** Which registries there are, and what is too much. */
export interface OciFetcherOptions extends Downloading {
  /** By `host` or `host:port`; all others are refused. */
  readonly registries: Readonly<Record<string, OciRegistry>>
  /** Whose package is taken where there are several. Default: this machine's, such as `linux-x64`. */
  readonly platform?: string
  readonly archiveLimits?: Partial<ArchiveLimits>
  readonly ociLimits?: Partial<OciLimits>
}

type OciPlace = Extract<PinnedPlace, { kind: 'oci' }>

/**
 * Packages in OCI registries: `oci:registry.example.org/acme/s3:1.2.3`, `:^1.2` over the tags that are versions, `@sha256:…`;
 * without a tag the best version. Pinned by the digest of what the tag leads to, a manifest or a list with one for each
 * platform; each byte is held against the digest that leads to it. What refers to it, DSSE envelopes and sigstore bundles,
 * comes along, unjudged. Errors: `FETCH_REFERENCE_INVALID`, `FETCH_CHANGED`, those of {@link guardedDownload} and of archives.
 */
export function ociFetcher(options: OciFetcherOptions): Fetcher {
  return new OciFetcher(options)
}

class OciFetcher implements Fetcher {
  readonly kind = 'oci'
  readonly #options: OciFetcherOptions
  readonly #limits: OciLimits
  readonly #platform: string

  constructor(options: OciFetcherOptions) {
    this.#options = options
    this.#limits = { ...defaultOciLimits, ...options.ociLimits }
    this.#platform = options.platform ?? `${process.platform}-${process.arch}`
  }

  async versions(reference: string, options: FetchOptions): Promise<readonly AvailableVersion[]> {
    const asked = readOciReference(reference)
    const repository = this.#open(asked, options)
    const { wanted } = asked
    if (wanted.kind === 'range') return this.#inRange(repository, asked, wanted.range)
    const found = await repository.manifest(wanted.kind === 'tag' ? wanted.tag : wanted.digest)
    const artifact = await this.#forPlatform(repository, found)
    packageLayerOf(artifact, repository.place)
    const manifest = jsonIn(await repository.blob(artifact.config, defaultPackageLimits.manifestBytes), repository.place)
    const version: unknown = Reflect.get(Object(manifest), 'version')
    return typeof version === 'string' ? [{ version, manifest, ...offered(asked, found) }] : []
  }

  async fetch(place: PinnedPlace, options: FetchOptions): Promise<FetchedPackage> {
    if (place.kind !== 'oci') throw new TypeError(`${place.kind} is no place of this fetcher`)
    const repository = this.#open(readOciReference(`oci:${place.reference}@${place.digest}`), options)
    const found = await repository.manifest(place.digest)
    const own = await this.#packageFor(repository, found, options.platform ?? this.#platform, options)
    const { createdAtMs: publishedAtMs } = found.manifest
    const said = publishedAtMs === undefined ? {} : { publishedAtMs }
    const attestations = [...own.attestations, ...(await attestationsAbout(repository, place.digest, this.#limits))]
    const fetched = { ...own, ...said, place, attestations }
    if (found.manifest.kind === 'manifest' || options.platform !== undefined) return fetched
    const listed = this.#platformsOf(found.manifest, repository)
    const ownName = listed.includes(this.#platform) ? this.#platform : 'any'
    const platforms: Record<string, PlatformPackage> = {}
    // one after the other, so that no more than two are in memory
    for (const platform of listed) {
      const each = platform === ownName ? own : await this.#packageFor(repository, found, platform, options)
      checkSame(own, each, repository.place)
      platforms[platform] = lockedOf(each, place, said)
    }
    return { ...fetched, platforms }
  }

  /** Errors: `FETCH_TOO_LARGE`. */
  #platformsOf(index: ArtifactIndex, { place }: OciRepository): readonly string[] {
    const platforms = platformsIn(index)
    if (platforms.length <= this.#limits.platforms) return platforms
    throw sourceErrors.error('FETCH_TOO_LARGE', { place, limit: `${this.#limits.platforms} platforms` })
  }

  #open(reference: OciReference, options: FetchOptions): OciRepository {
    const { registries } = this.#options
    const access = { registries, downloading: this.#options, limits: this.#limits, actions: 'pull' } as const
    return new OciRepository(reference, access, options)
  }

  async #inRange(repository: OciRepository, asked: OciReference, range: string): Promise<readonly AvailableVersion[]> {
    const tags = await repository.tags()
    const fitting = tags
      .map((tag) => ({ tag, version: versionOf(tag) }))
      .filter(({ version }) => valid(version) === version.split('+')[0] && satisfies(version, range))
      .sort((one, other) => rcompare(one.version, other.version))
      .slice(0, this.#limits.versions)
    const found: AvailableVersion[] = []
    for (const { tag, version } of fitting) found.push({ version, ...offered(asked, await repository.manifest(tag)) })
    return found
  }

  async #packageFor(
    repository: OciRepository,
    found: FoundManifest,
    platform: string,
    { signal, keepArchive }: FetchOptions,
  ): Promise<PackageInArchive> {
    const { place } = repository
    const manifest = await this.#forPlatform(repository, found, platform)
    const { archiveLimits: limits = {} } = this.#options
    const layer = packageLayerOf(manifest, place)
    const bytes = await repository.blob(layer, limits.archiveBytes ?? defaultArchiveLimits.archiveBytes)
    const read = await packageInArchive(bytes, { place, topFolder: 'if-needed', limits, keepArchive, signal })
    const own = read.tree.files.find(({ path }) => path === 'plugin.json')
    if (own !== undefined && manifest.config.digest === `sha256:${hash('sha256', own.bytes)}`) return read
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem: 'its config is not the plugin.json of its package' })
  }

  async #forPlatform(
    repository: OciRepository,
    { manifest }: FoundManifest,
    platform = this.#platform,
  ): Promise<ArtifactManifest> {
    if (manifest.kind === 'manifest') return manifest
    const entry =
      manifest.manifests.find((one) => one.platform === platform) ?? manifest.manifests.find((one) => one.platform === undefined)
    if (entry === undefined) {
      const reason = `it is for ${platformsIn(manifest).join(', ')} only, not for ${platform}`
      throw sourceErrors.error('FETCH_NOT_FOUND', { reference: repository.place, reason })
    }
    const found = await repository.manifest(entry.descriptor.digest)
    if (found.manifest.kind === 'manifest') return found.manifest
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place: repository.place, problem: 'its list leads to another list' })
  }
}

function offered({ registry, repository }: OciReference, { digest, manifest }: FoundManifest): Omit<AvailableVersion, 'version'> {
  const place: OciPlace = { kind: 'oci', reference: `${registry}/${repository}`, digest }
  return { place, ...(manifest.createdAtMs === undefined ? {} : { publishedAtMs: manifest.createdAtMs }) }
}

/** Those a list has a package for; `any` for one that is for all others. */
function platformsIn({ manifests }: ArtifactIndex): readonly string[] {
  return [...new Set(manifests.map(({ platform = 'any' }) => platform))]
}

function lockedOf(
  { tree, archive, archiveSha512 }: PackageInArchive,
  place: OciPlace,
  said: Pick<PlatformPackage, 'publishedAtMs'>,
): PlatformPackage {
  return { place, digest: tree.digest, archive, archiveSha512, ...said }
}

/** One list is one version of one plugin. Errors: `FETCH_RESPONSE_INVALID`. */
function checkSame(own: PackageInArchive, each: PackageInArchive, place: string): void {
  const [name, other] = [own, each].map(({ manifest }) => {
    const { id, version } = Object(manifest) as Readonly<Record<string, unknown>>
    return `${String(id)} ${String(version)}`
  })
  if (name === other) return
  const problem = `it is ${name} for one platform and ${other} for another`
  throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem })
}
