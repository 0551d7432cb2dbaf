import { validRange } from 'semver'
import { invalidReference } from '../invalid-reference.ts'

/** What a reference such as `oci:registry.example.org/acme/s3:1.2.3` asks for. */
export interface OciReference {
  /** `registry.example.org`, `localhost:5000`. */
  readonly registry: string
  /** `acme/s3`. */
  readonly repository: string
  readonly wanted: WantedManifest
}

/** What of a repository is meant. */
export type WantedManifest =
  | { readonly kind: 'tag'; readonly tag: string }
  /** `sha256:` and 64 hexadecimal digits. */
  | { readonly kind: 'digest'; readonly digest: string }
  /** Tags that are versions, within a SemVer range. */
  | { readonly kind: 'range'; readonly range: string }

const example = 'oci:registry.example.org/acme/s3:1.2.3'
const mostCharacters = 1024

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const registryPattern = new RegExp(String.raw`^${label}(?:\.${label})*(?::[1-9]\d{0,4})?$`)
/** Source: OCI distribution 1.1, "Pulling manifests". */
const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const digestPattern = /^sha256:[0-9a-f]{64}$/

/**
 * Reads a reference; without a tag it is the best version there is. Nothing is decoded or put right. Errors:
 * `FETCH_REFERENCE_INVALID`.
 */
export function readOciReference(reference: string): OciReference {
  const refuse = (problem: string): never => {
    throw invalidReference(reference, problem, example)
  }
  if (reference.length > mostCharacters) refuse(`it has more than ${mostCharacters} characters`)
  if (/[^\x20-\x7e]/.test(reference)) refuse('it holds a character other than those of printable ASCII')
  if (!reference.startsWith('oci:')) refuse('it does not begin with oci:')
  const rest = reference.slice('oci:'.length)
  const slash = rest.indexOf('/')
  const registry = rest.slice(0, Math.max(0, slash))
  if (
    !registryPattern.test(registry) ||
    !URL.canParse(`https://${registry}`) ||
    new URL(`https://${registry}`).host !== registry
  ) {
    refuse('what comes before the first "/" is no name of a registry, in the one way it is written')
  }
  const after = rest.slice(slash + 1)
  const end = after.search(/[:@]/)
  const repository = end === -1 ? after : after.slice(0, end)
  if (!repositoryPattern.test(repository)) refuse('its name is not of lower-case letters, digits and single . _ - between them')
  const last = end === -1 ? undefined : after.slice(end)
  return { registry, repository, wanted: wantedOf(last, refuse) }
}

function wantedOf(text: string | undefined, refuse: (problem: string) => never): WantedManifest {
  if (text === undefined) return { kind: 'range', range: '*' }
  const value = text.slice(1)
  if (text.startsWith('@')) {
    return digestPattern.test(value) ? { kind: 'digest', digest: value } : refuse('what follows the "@" is no sha256 digest')
  }
  if (/^[\^~*<>=]/.test(value)) {
    return validRange(value) === null ? refuse(`${value} is no range of versions`) : { kind: 'range', range: value }
  }
  return isTag(value) ? { kind: 'tag', tag: value } : refuse('what follows the ":" is no tag')
}

/** The tag of a version, and back: a tag has no `+`. */
export function tagOf(version: string): string {
  return version.replace('+', '_')
}

/** What {@link tagOf} was made from. */
export function versionOf(tag: string): string {
  return tag.replace('_', '+')
}

/** Whether a text can be a tag. */
export function isTag(text: unknown): text is string {
  return typeof text === 'string' && tagPattern.test(text)
}

/** Whether a text is a digest as this platform takes them. */
export function isDigest(text: unknown): text is string {
  return typeof text === 'string' && digestPattern.test(text)
}
