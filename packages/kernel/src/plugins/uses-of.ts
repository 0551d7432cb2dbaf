import type { Core } from '../core.ts'
import { noVocabulary, parsePermission } from './permissions.ts'
import type { Plugin } from './plugin.ts'
import type { AuditMode, PluginUses, UseVerb } from '../permission-use.ts'

/** What the version of a plugin that serves, or would, used of each permission it asks for. */
export async function usesOf(core: Core, { id, candidate, audit }: Plugin): Promise<PluginUses> {
  const { version, declared } = candidate
  const { permissions = [], contributions = [] } = declared ?? {}
  const known = await core.uses.of(id, version)
  const withheld = new Set(core.withheld(candidate))
  const verbOf = (permission: string): UseVerb => parsePermission(id, permission, core.options.permissions ?? noVocabulary).verb
  const ranPrograms = permissions.some((one) => known?.entries.get(one)?.use !== undefined && verbOf(one) === 'exec')
  const points = contributions.flatMap(({ point }) => core.points.find(point)?.point ?? [])
  return {
    id,
    version,
    audit,
    permissions: permissions.map((permission) => {
      const verb = verbOf(permission)
      const watchedSinceMs = known?.watched.get(verb)
      const unknown = known === undefined ? 'this version was never started' : unseen(verb, audit, ranPrograms)
      return {
        permission,
        watchedSinceMs,
        used: known?.entries.get(permission)?.use,
        unknown: watchedSinceMs === undefined ? unknown : undefined,
        isWithheld: withheld.has(permission),
        neededFor: points.find((point) => point.permission === permission)?.id,
        opens: known?.opens.get(permission) ?? [],
      }
    }),
  }
}

function unseen(verb: UseVerb, audit: AuditMode | undefined, ranPrograms: boolean): string {
  if (verb === 'net:connect') return 'it reaches the network by itself where it runs'
  if (audit?.isOn !== true)
    return 'nobody sees that where it runs; in audit mode, within the sandbox of the operating system, it is told'
  return ranPrograms && verb !== 'exec'
    ? 'it ran a program, and nobody sees what that reads and writes'
    : 'it used more than is told, in threads or in too many places at once; all is watched anew from its next start on'
}
