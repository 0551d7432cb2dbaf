import { clean, maxSatisfying, rcompare, satisfies } from 'semver'
import type { NamedCommit } from './git-repository.ts'

/** A tag that is a version. */
export interface VersionTag extends NamedCommit {
  /** SemVer. */
  readonly version: string
}

const tags = 'refs/tags/'

/**
 * The tags that are versions within a range, best first: `v1.2.3` and `1.2.3`. For a package in a folder `plugins/s3`, its own
 * tags are looked at first, `s3-v1.2.3`, `s3@1.2.3`, `plugins/s3/v1.2.3`; the plain ones only when it has none.
 */
export function versionTags(named: readonly NamedCommit[], range: string, path?: string): readonly VersionTag[] {
  const own = path === undefined ? [] : tagsWith(named, prefixesOf(path))
  const all = own.length > 0 ? own : tagsWith(named, [''])
  const best = maxSatisfying(
    all.map(({ version }) => version),
    range,
  )
  if (best === null) return []
  return all.filter(({ version }) => satisfies(version, range)).sort((one, other) => rcompare(one.version, other.version))
}

function prefixesOf(path: string): readonly string[] {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return [`${name}-`, `${name}@`, `${path}/`]
}

function tagsWith(named: readonly NamedCommit[], prefixes: readonly string[]): readonly VersionTag[] {
  return named.flatMap((one) => {
    const prefix = prefixes.find((each) => one.name.startsWith(`${tags}${each}`))
    if (prefix === undefined) return []
    const text = one.name.slice(tags.length + prefix.length)
    const version = /^v?\d/.test(text) ? clean(text) : null
    return version === null ? [] : [{ ...one, version }]
  })
}
