import type { FoundPackage } from '@backplane/kernel'

/** Packages of one plugin directory: by path, but of one id the highest version first. */
export async function byVersion(packages: readonly FoundPackage[]): Promise<readonly FoundPackage[]> {
  const byId = new Map<string, FoundPackage[]>()
  for (const found of packages.toSorted((one, other) => (one.path < other.path ? -1 : 1))) {
    const id = textOf(manifestOf(found), 'id') ?? found.path
    const sameId = byId.get(id)
    if (sameId === undefined) byId.set(id, [found])
    else sameId.push(found)
  }
  if (byId.size === packages.length) return [...byId.values()].flat()
  const { default: semver } = await import('semver')
  const version = (found: FoundPackage): string => semver.valid(textOf(manifestOf(found), 'version')) ?? '0.0.0-0'
  return [...byId.values()].flatMap((same) => same.sort((one, other) => semver.rcompare(version(one), version(other))))
}

function manifestOf(found: FoundPackage): unknown {
  return found.summary?.manifest ?? found.manifest
}

function textOf(manifest: unknown, key: string): string | undefined {
  const value: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, key) : undefined
  return typeof value === 'string' ? value : undefined
}
