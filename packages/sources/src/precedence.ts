import type { FoundPackage } from '@backplane/kernel'

/** Packages of one plugin directory: by path, but of one id the highest version first. */
export async function byVersion(packages: readonly FoundPackage[]): Promise<readonly FoundPackage[]> {
  const sorted = packages.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  if (new Set(packages.map(idOf)).size === packages.length) return sorted
  const { default: semver } = await import('semver')
  const version = (found: FoundPackage): string => semver.valid(textOf(manifestOf(found), 'version')) ?? '0.0.0-0'
  return [...Map.groupBy(sorted, idOf).values()].flatMap((same) =>
    same.sort((one, other) => semver.rcompare(version(one), version(other))),
  )
}

function idOf(found: FoundPackage): string {
  return textOf(manifestOf(found), 'id') ?? found.path
}

function manifestOf(found: FoundPackage): unknown {
  return found.summary?.manifest ?? found.manifest
}

function textOf(manifest: unknown, key: string): string | undefined {
  const value: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, key) : undefined
  return typeof value === 'string' ? value : undefined
}
