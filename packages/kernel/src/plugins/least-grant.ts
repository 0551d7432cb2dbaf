import { dirname } from 'node:path'
import type { LeastGrant, PluginUses, UsedPermission } from '../permission-use.ts'
import { commonDirectory } from './use-entry.ts'

/** Texts that are proposed in the place of one; of more directories the one that holds them all is. */
const mostNarrower = 8

/**
 * The least grant with which a plugin could have done all that it was seen doing since `sinceMs` (default: since its use is watched).
 * What nobody watched, or not for so long, stays granted; what is needed for a point it fills, too.
 */
export function leastGrant({ permissions }: PluginUses, sinceMs?: number): LeastGrant {
  const used: string[] = []
  const unknown: string[] = []
  const unused: string[] = []
  const narrower: Record<string, readonly string[]> = {}
  for (const one of permissions) {
    const { permission, isWithheld, neededFor, watchedSinceMs } = one
    if (isWithheld) unused.push(permission)
    else if (neededFor !== undefined || (one.used !== undefined && one.used.lastMs >= (sinceMs ?? 0))) {
      used.push(permission)
      const instead = narrowed(one)
      if (instead !== undefined) narrower[permission] = instead
    } else if (watchedSinceMs === undefined || watchedSinceMs > (sinceMs ?? Infinity)) {
      unknown.push(permission)
    } else unused.push(permission)
  }
  return { used, unknown, unused, narrower }
}

/** What could be asked for instead; undefined when that is no less. */
function narrowed({ permission, used, opens }: UsedPermission): readonly string[] | undefined {
  if (used === undefined || used.seen.length === 0) return undefined
  const verb = permission.slice(0, permission.indexOf(' '))
  if (verb === 'net:connect') {
    const isLess = used.isWhole && used.seen.length < new Set(opens.map((place) => place.toLowerCase())).size
    return isLess ? used.seen.map((place) => `${verb} ${place}`) : undefined
  }
  if (verb !== 'fs:read' && verb !== 'fs:write') return undefined
  const places = placesOf(used.seen, used.isWhole, opens)
  const isLess = !opens.every((path) => places.includes(path))
  const isWithin = places.every((place) => opens.some((path) => commonDirectory(path, place) === path))
  return isLess && isWithin ? places.map((path) => `${verb} ${path}`) : undefined
}

/** Directories of the files that were seen, none within another, and never more than is open. */
function placesOf(seen: readonly string[], isWhole: boolean, opens: readonly string[]): readonly string[] {
  const directories = isWhole ? seen.map((path) => (opens.includes(path) ? path : dirname(path))) : [...seen]
  const kept = outermost(directories)
  return kept.length <= mostNarrower ? kept : [kept.reduce(commonDirectory)]
}

function outermost(paths: readonly string[]): readonly string[] {
  const distinct = [...new Set(paths)].sort()
  return distinct.filter((path) => !distinct.some((other) => other !== path && commonDirectory(other, path) === other))
}
