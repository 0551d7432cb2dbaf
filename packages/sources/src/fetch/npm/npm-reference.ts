import { validRange } from 'semver'
import { invalidReference } from '../invalid-reference.ts'

/** What `npm:[@scope/]name[@range|tag]` asks for. */
export interface NpmReference {
  readonly name: string
  readonly wanted: NpmWish
}

/** Which versions. Without a range or tag: any but pre-releases, and what the tag `latest` leads to. */
export type NpmWish =
  | { readonly kind: 'any' }
  | { readonly kind: 'range'; readonly range: string }
  | { readonly kind: 'tag'; readonly tag: string }

/** Lower case, as registries have taken names since 2014; nothing that means something in an address or a path. */
const namePattern = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/
const longestName = 214
const tagPattern = /^[a-z][\w.-]{0,127}$/i

/** Whether this can be the name of a package. */
export function isNpmName(name: string): boolean {
  return name.length <= longestName && namePattern.test(name)
}

/** Whether this can be the name of a tag. */
export function isNpmTag(tag: string): boolean {
  return tagPattern.test(tag)
}

/** `@acme` of `@acme/s3`; undefined where a name has no scope. */
export function scopeOf(name: string): string | undefined {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : undefined
}

/** Reads a reference. Errors: `FETCH_REFERENCE_INVALID`. */
export function parseNpmReference(reference: string): NpmReference {
  const text = reference.replace(/^npm:/, '')
  const at = text.indexOf('@', 1)
  const name = at === -1 ? text : text.slice(0, at)
  if (!isNpmName(name)) throw invalid(reference, `"${name}" is no name of an npm package`)
  if (at === -1) return { name, wanted: { kind: 'any' } }
  const spec = text.slice(at + 1)
  if (spec.trim() === '') throw invalid(reference, 'nothing follows the @')
  if (spec.length <= 256 && validRange(spec) !== null) return { name, wanted: { kind: 'range', range: spec } }
  if (isNpmTag(spec)) return { name, wanted: { kind: 'tag', tag: spec } }
  throw invalid(reference, `"${spec.slice(0, 60)}" is neither a range nor a tag`)
}

function invalid(reference: string, problem: string): Error {
  return invalidReference(reference, problem, 'npm:@acme/s3@^1.2')
}
