import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Grants, Use } from '@backplane/kernel'
import { isWithin } from '../sandbox/way-to.ts'

/** Longest path that is looked at: as the system's own limit. */
const longestPath = 4_096

interface Place {
  readonly granted: string
  readonly real: string
}

/**
 * Tells which of what Node's permission model reports is a use of these grants, in their own words: a path by its real name counts for
 * the name it was granted by, a program's path (`paths`, by name) for its name. Undefined for everything else.
 */
export async function useOfGrants(
  { fsRead, fsWrite, exec }: Grants,
  paths: Readonly<Record<string, string>>,
): Promise<(told: unknown) => Use | undefined> {
  const [reads, writes] = await Promise.all([placesOf(fsRead), placesOf(fsWrite)])
  const programs = new Map(exec.flatMap((name) => [[name, name] as const, [paths[name] ?? name, name] as const]))
  return (told) => {
    const { permission, resource } = Object(told) as Readonly<Record<string, unknown>>
    if (typeof resource !== 'string' || resource.length > longestPath) return undefined
    switch (permission) {
      case 'FileSystemRead':
        return use('fs:read', pathIn(reads, resource))
      case 'FileSystemWrite':
        return use('fs:write', pathIn(writes, resource))
      case 'ChildProcess':
        return use('exec', programs.get(resource))
      default:
        return undefined
    }
  }
}

function use(verb: Use['verb'], what: string | undefined): Use | undefined {
  return what === undefined ? undefined : { verb, what, by: 'plugin' }
}

async function placesOf(granted: readonly string[]): Promise<readonly Place[]> {
  return Promise.all(granted.map(async (path) => ({ granted: path, real: await realpath(path).catch(() => path) })))
}

function pathIn(places: readonly Place[], told: string): string | undefined {
  const path = resolve('/', told)
  if (places.some(({ granted }) => isWithin(path, granted))) return path
  const place = places.find(({ real }) => isWithin(path, real))
  return place === undefined ? undefined : resolve(place.granted, `.${path.slice(place.real.length)}`)
}
