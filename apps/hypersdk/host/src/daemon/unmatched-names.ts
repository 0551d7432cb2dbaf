import { bareName } from '../providers/named-plugin.ts'
import { didYouMean } from '@backplane/sdk'
import type { PluginsConfig } from '../config/host-config.ts'

/**
 * Names of plugins in the configuration that none of `ids` has, as sentences with the nearest that one has. A plugin may
 * yet be dropped in, so they are no problems.
 */
export function unmatchedNames(config: PluginsConfig, ids: readonly string[]): readonly string[] {
  const places: readonly (readonly [place: string, names: Iterable<string>])[] = [
    ['plugins.allow or enabled', config.allow ?? []],
    ['plugins.disabled', config.deny],
    ['plugins.per_plugin', config.perPlugin.keys()],
    ['plugins.waive', config.waive.keys()],
    ['plugins.providers', config.typeOwners.values()],
    ['plugins.config', config.config.keys()],
    ...Object.entries(config.namespaces).map(([name, { plugins }]) => [`plugins.namespaces.${name}`, plugins] as const),
  ]
  const known = new Set(ids.flatMap((id) => [id, bareName(id), `${id.slice(0, id.indexOf('/'))}/*`]))
  return places.flatMap(([place, names]) =>
    [...names]
      .filter((name) => name !== '*' && !known.has(name))
      .map((name) => {
        const alike = [...known].filter((one) => one.includes('/') === name.includes('/'))
        return `${place}: there is no plugin ${name} now${didYouMean(name, alike)}`
      }),
  )
}
