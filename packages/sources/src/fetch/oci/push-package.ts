import { valid } from 'semver'
import { isGzip } from '../../archive/gunzip.ts'
import { sourceErrors } from '../../errors.ts'
import type { FetchOptions } from '../fetcher.ts'
import { packageInArchive } from '../package-in-archive.ts'
import {
  attestationTypeOf,
  emptyType,
  indexType,
  manifestType,
  packageArtifact,
  packageConfig,
  packageLayer,
} from './media-types.ts'
import type { OciFetcherOptions } from './oci-fetcher.ts'
import { defaultOciLimits } from './oci-limits.ts'
import { platformOf, type Descriptor } from './oci-manifest.ts'
import { readOciReference, tagOf } from './oci-reference.ts'
import { OciRepository } from './oci-repository.ts'
import { referrersTag, taggedReferrers } from './referrers.ts'
import { bytesOf, descriptorOf, upload, type Blob } from './upload.ts'

/** What is published. */
export interface PackageToPush {
  /** By platform (`linux-x64`), or `any` and nothing else: each a `.tgz`, sent as it is. */
  readonly archives: Readonly<Record<string, Uint8Array>>
  /** DSSE envelopes or sigstore bundles about these packages. Default: none. */
  readonly attestations?: readonly unknown[]
  /** ms since the epoch. Default: that of what is there already, else now. */
  readonly createdAtMs?: number
}

/** What was published. */
export interface PushedPackage {
  readonly version: string
  readonly tag: string
  /** Of what the tag leads to. */
  readonly digest: string
  /** Whether the tag led there before; then nothing but attestations was added. */
  readonly wasThere: boolean
}

/**
 * Publishes a package: `oci:registry.example.org/acme/s3`, under a tag for its version, or under the one that is named. The
 * tag comes last, so nobody sees the package without what is said of it. The same again changes nothing but adds
 * attestations; something else under a version is refused. Errors: `PUSH_INVALID`, `PUSH_EXISTS`, `PUSH_REFUSED`, those of
 * archives and of {@link OciRepository}.
 */
export async function pushPackage(
  reference: string,
  published: PackageToPush,
  options: OciFetcherOptions,
  fetchOptions: FetchOptions,
): Promise<PushedPackage> {
  const asked = readOciReference(reference)
  const packed = await readAll(reference, published, options, fetchOptions.signal)
  const { version } = packed
  const { wanted } = asked
  const isUnnamed = wanted.kind === 'range' && wanted.range === '*'
  if (wanted.kind !== 'tag' && !isUnnamed) throw invalid(reference, 'it is published under a tag')
  const tag = wanted.kind === 'tag' ? wanted.tag : tagOf(version)
  const limits = { ...defaultOciLimits, ...options.ociLimits }
  const repository = new OciRepository(
    asked,
    { registries: options.registries, downloading: options, limits, actions: 'pull,push' },
    fetchOptions,
  )
  const there = await repository.manifestIfAny(tag)
  const createdAtMs = published.createdAtMs ?? there?.manifest.createdAtMs ?? Date.now()
  const { top, below } = manifestsOf(packed, createdAtMs)
  const isVersion = valid(version) !== null && tag === tagOf(version)
  if (there !== undefined && there.digest !== top.descriptor.digest && isVersion) {
    throw sourceErrors.error('PUSH_EXISTS', { reference: `${repository.place}:${tag}`, digest: there.digest })
  }
  const total = packed.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)
  let done = 0
  for (const blob of packed.blobs) {
    fetchOptions.onProgress?.({ done, total, phase: `sending ${version} to ${repository.place}` })
    await upload.blob(repository, blob)
    done += blob.bytes.length
  }
  for (const each of below) await upload.manifest(repository, each)
  await upload.manifest(repository, top)
  for (const content of published.attestations ?? []) await attach(repository, top.descriptor, content)
  await upload.manifest(repository, top, tag)
  return { version, tag, digest: top.descriptor.digest, wasThere: there?.digest === top.descriptor.digest }
}

interface Packed {
  readonly version: string
  readonly blobs: readonly Blob[]
  readonly packages: readonly { readonly platform: string; readonly config: Descriptor; readonly layer: Descriptor }[]
}

/** Errors: `PUSH_INVALID` and those of archives. */
async function readAll(
  reference: string,
  { archives }: PackageToPush,
  { archiveLimits: limits = {} }: OciFetcherOptions,
  signal: AbortSignal,
): Promise<Packed> {
  const platforms = Object.keys(archives)
  if (platforms.length === 0) throw invalid(reference, 'there is no archive')
  if (platforms.length > 1 && platforms.includes('any')) throw invalid(reference, 'an archive for any platform stands alone')
  const names = new Set<string>()
  const blobs: Blob[] = []
  const packages: Packed['packages'][number][] = []
  let version = ''
  for (const [platform, bytes] of Object.entries(archives)) {
    if (!isGzip(bytes)) throw invalid(reference, `the archive for ${platform} is no .tgz`)
    if (platform !== 'any' && !/^[a-z0-9]+-[a-z0-9]+$/.test(platform))
      throw invalid(reference, `${platform} is no platform such as linux-x64`)
    const { tree, manifest } = await packageInArchive(bytes, { place: reference, topFolder: 'if-needed', limits, signal })
    const { id, version: own } = Object(manifest) as Readonly<Record<string, unknown>>
    names.add(`${String(id)} ${String(own)}`)
    version = String(own)
    const json = tree.files.find(({ path }) => path === 'plugin.json')?.bytes ?? new Uint8Array()
    const config = { descriptor: descriptorOf(packageConfig, json), bytes: json }
    const layer = { descriptor: descriptorOf(packageLayer, bytes), bytes }
    blobs.push(config, layer)
    packages.push({ platform, config: config.descriptor, layer: layer.descriptor })
  }
  if (names.size > 1) throw invalid(reference, `the archives are of ${[...names].join(' and ')}`)
  return { version, blobs, packages }
}

/** The manifest that is tagged, and those it lists. Equal packages of one moment have equal manifests. */
function manifestsOf(
  { version, packages }: Packed,
  createdAtMs: number,
): { readonly top: Blob; readonly below: readonly Blob[] } {
  const annotations = {
    'org.opencontainers.image.created': new Date(createdAtMs).toISOString(),
    'org.opencontainers.image.version': version,
  }
  const manifests = packages.map(({ platform, config, layer }) => {
    const common = { schemaVersion: 2, mediaType: manifestType, artifactType: packageArtifact }
    const bytes = bytesOf({ ...common, config, layers: [layer], annotations })
    return { platform, blob: { descriptor: { ...descriptorOf(manifestType, bytes), artifactType: packageArtifact }, bytes } }
  })
  const [only] = manifests
  if (only?.platform === 'any') return { top: only.blob, below: [] }
  const list = manifests.map(({ platform, blob }) => ({ ...blob.descriptor, platform: platformOf(platform) }))
  const bytes = bytesOf({ schemaVersion: 2, mediaType: indexType, artifactType: packageArtifact, manifests: list, annotations })
  return { top: { descriptor: descriptorOf(indexType, bytes), bytes }, below: manifests.map(({ blob }) => blob) }
}

const empty: Uint8Array = Buffer.from('{}')

/** Puts what is said of a manifest beside it. Source: OCI distribution 1.1, "Pushing manifests with subject". */
async function attach(repository: OciRepository, { mediaType, digest, size }: Descriptor, content: unknown): Promise<void> {
  const artifactType = attestationTypeOf(content)
  const bytes = bytesOf(content)
  const config = { descriptor: descriptorOf(emptyType, empty), bytes: empty }
  const layer = { descriptor: descriptorOf(artifactType, bytes), bytes }
  await upload.blob(repository, config)
  await upload.blob(repository, layer)
  const manifest = bytesOf({
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config: config.descriptor,
    layers: [layer.descriptor],
    subject: { mediaType, digest, size },
  })
  const descriptor = { ...descriptorOf(manifestType, manifest), artifactType }
  const isListed = await upload.manifest(repository, { descriptor, bytes: manifest })
  if (!isListed) await listByTag(repository, digest, descriptor)
}

/** For registries that keep no list of referrers: one under a tag. */
async function listByTag(repository: OciRepository, subject: string, descriptor: Descriptor): Promise<void> {
  const listed = (await taggedReferrers(repository, subject))?.manifests.map((one) => one.descriptor) ?? []
  if (listed.some(({ digest }) => digest === descriptor.digest)) return
  const manifests = [...listed, descriptor]
  const bytes = bytesOf({ schemaVersion: 2, mediaType: indexType, manifests })
  await upload.manifest(repository, { descriptor: descriptorOf(indexType, bytes), bytes }, referrersTag(subject))
}

function invalid(reference: string, problem: string): Error {
  return sourceErrors.error('PUSH_INVALID', { reference, problem })
}
