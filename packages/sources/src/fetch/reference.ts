import { sourceErrors } from '../errors.ts'
import { shownReference } from './invalid-reference.ts'
import type { Fetcher, FetchKind, PinnedPlace } from './fetcher.ts'

const prefixes: Readonly<Record<FetchKind, RegExp>> = {
  npm: /^npm:/,
  git: /^git(?:\+[a-z]+)?:/,
  oci: /^oci:/,
  index: /^index:/,
  archive: /^(?:archive:|https?:|file:.*\.(?:tgz|tar\.gz|zip)$|.*\.(?:tgz|tar\.gz|zip)$)/,
  directory: /^(?:directory:|file:|\.{0,2}\/|\.{1,2}$)/,
}

/** Which kind of place a reference such as `npm:@acme/s3@^1.2`, `./s3.tgz` or `./s3` is about; undefined when nobody can tell. */
export function kindOf(reference: string): FetchKind | undefined {
  return (Object.keys(prefixes) as FetchKind[]).find((kind) => prefixes[kind].test(reference))
}

/** The fetcher for a reference. Errors: `INSTALL_NO_FETCHER`. */
export function fetcherFor(fetchers: readonly Fetcher[], reference: string): Fetcher {
  const kind = kindOf(reference)
  const fetcher = fetchers.find((known) => known.kind === kind)
  if (fetcher !== undefined) return fetcher
  const kinds = fetchers.map((known) => `${known.kind}:`).join(', ')
  throw sourceErrors.error('INSTALL_NO_FETCHER', { reference: shownReference(reference), kinds })
}

/** A place as policies and people name it, without its version: `npm:@acme/s3`. */
export function sourceOf(place: PinnedPlace): string {
  switch (place.kind) {
    case 'npm':
      return `npm:${place.name}`
    case 'git':
      return `git:${place.url}`
    case 'oci':
      return `oci:${place.reference}`
    case 'index':
      return `index:${place.index}`
    case 'archive':
      return `archive:${place.url}`
    case 'directory':
      return `directory:${place.path}`
  }
}
