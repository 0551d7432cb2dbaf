import { sourceErrors } from '../../errors.ts'
import { jsonIn } from '../download-json.ts'
import { indexType, manifestType, packageArtifact, packageConfig, packageLayer } from './media-types.ts'
import { isDigest } from './oci-reference.ts'

/** What one blob or manifest must be. Source: OCI image 1.1, "Content descriptors". */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  /** Bytes. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** A manifest, read. */
export interface ArtifactManifest {
  readonly kind: 'manifest'
  readonly artifactType: string | undefined
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject: Descriptor | undefined
  /** `org.opencontainers.image.created`, ms since the epoch. */
  readonly createdAtMs: number | undefined
}

/** A list of manifests, read. */
export interface ArtifactIndex {
  readonly kind: 'index'
  /** In its order. */
  readonly manifests: readonly ListedManifest[]
  readonly createdAtMs: number | undefined
}

/** A manifest in a list. */
export interface ListedManifest {
  readonly descriptor: Descriptor
  /** As locks write it: `linux-x64`. */
  readonly platform: string | undefined
}

/** Manifests beyond this many in one list are too many. */
const mostManifests = 256

/**
 * Reads what a registry answered for a manifest. The type it is sent with and the one in it must be one. Errors:
 * `FETCH_RESPONSE_INVALID`.
 */
export function readManifestText(
  bytes: Uint8Array,
  contentType: string | undefined,
  place: string,
): ArtifactManifest | ArtifactIndex {
  const refuse = (problem: string): never => {
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem })
  }
  const value = record(jsonIn(bytes, place)) ?? refuse('its manifest is no object')
  const sent = contentType?.split(';')[0]?.trim()
  const type = value['mediaType'] ?? sent
  if (value['mediaType'] !== undefined && sent !== undefined && value['mediaType'] !== sent) {
    refuse(`its manifest is sent as ${shown(sent)} and calls itself ${shown(value['mediaType'])}`)
  }
  if (value['schemaVersion'] !== 2) refuse('its manifest is not of schema version 2')
  const createdAtMs = createdIn(value['annotations'])
  if (type === indexType) {
    const manifests = Array.isArray(value['manifests']) ? value['manifests'] : refuse('its list has no manifests')
    if (manifests.length > mostManifests) refuse(`its list has more than ${mostManifests} manifests`)
    const read = manifests.map((one: unknown) => {
      const descriptor = descriptorIn(one) ?? refuse('a manifest in its list is no descriptor')
      return { descriptor, platform: platformIn(Reflect.get(Object(one), 'platform'), refuse) }
    })
    return { kind: 'index', manifests: read, createdAtMs }
  }
  if (type !== manifestType) refuse(`its manifest is ${shown(type)}, not ${manifestType}`)
  const layers = Array.isArray(value['layers']) ? value['layers'] : []
  const { artifactType, subject } = value
  return {
    kind: 'manifest',
    artifactType: typeof artifactType === 'string' ? artifactType : undefined,
    config: descriptorIn(value['config']) ?? refuse('its config is no descriptor'),
    layers: layers.map((one: unknown) => descriptorIn(one) ?? refuse('a layer is no descriptor')),
    subject: descriptorIn(subject),
    createdAtMs,
  }
}

/** The one layer of a package. Errors: `FETCH_RESPONSE_INVALID` for every other artifact. */
export function packageLayerOf({ artifactType, config, layers }: ArtifactManifest, place: string): Descriptor {
  const refuse = (problem: string): never => {
    throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem })
  }
  if (artifactType !== packageArtifact) refuse(`it is ${shown(artifactType ?? config.mediaType)}, not ${packageArtifact}`)
  if (config.mediaType !== packageConfig) refuse(`its config is ${shown(config.mediaType)}, not ${packageConfig}`)
  const [layer] = layers
  if (layer === undefined || layers.length !== 1) return refuse(`it has ${layers.length} layers; a package is one`)
  if (layer.mediaType !== packageLayer) refuse(`its layer is ${shown(layer.mediaType)}, not ${packageLayer}`)
  return layer
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}

function descriptorIn(value: unknown): Descriptor | undefined {
  const { mediaType, digest, size, artifactType } = record(value) ?? {}
  if (typeof mediaType !== 'string' || !isDigest(digest)) return undefined
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  return { mediaType, digest, size, ...(typeof artifactType === 'string' ? { artifactType } : {}) }
}

function createdIn(annotations: unknown): number | undefined {
  const created: unknown = Reflect.get(Object(annotations), 'org.opencontainers.image.created')
  if (typeof created !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(created))
    return undefined
  const ms = Date.parse(created)
  return Number.isNaN(ms) ? undefined : ms
}

const nodeArchitectures: ReadonlyMap<string, string> = new Map([
  ['amd64', 'x64'],
  ['386', 'ia32'],
])

/** Source: OCI image 1.1, "Image index", `platform`; names of `process.platform` and `process.arch`. */
function platformIn(value: unknown, refuse: (problem: string) => never): string | undefined {
  const { os, architecture } = record(value) ?? {}
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  // It is written into the lock, and shown.
  const isName = [os, architecture].every((one) => /^[a-z0-9_]{1,32}$/.test(one))
  if (!isName) return refuse(`a platform in its list is ${shown(`${os} ${architecture}`)}`)
  return `${os === 'windows' ? 'win32' : os}-${nodeArchitectures.get(architecture) ?? architecture}`
}

/** As {@link platformIn} reads it: `linux-x64`. */
export function platformOf(platform: string): { readonly os: string; readonly architecture: string } {
  const [os = '', arch = ''] = platform.split('-')
  const architecture = [...nodeArchitectures].find(([, name]) => name === arch)?.[0] ?? arch
  return { os: os === 'win32' ? 'windows' : os, architecture }
}

function shown(text: unknown): string {
  return typeof text === 'string' ? text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100) : 'nothing'
}
