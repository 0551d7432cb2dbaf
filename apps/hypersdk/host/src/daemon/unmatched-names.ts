import { bareName, meantBy } from '../providers/named-plugin.ts'
import { didYouMean } from '@backplane/sdk'
import type { HostConfig, PluginsConfig } from '../config/host-config.ts'

/**
 * Names of plugins in the configuration that none of `ids` has, as sentences with the nearest that one has. A plugin may
 * yet be dropped in, so they are no problems.
 */
export function unmatchedNames(config: PluginsConfig, ids: readonly string[]): readonly string[] {
  const places = placesOf(config)
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

/**
 * Names after the slash in the configuration that several of `ids` have, as sentences that name them all. What such a name gives it
 * gives to none of them, what it takes away it takes from all.
 */
export function ambiguousNames(config: PluginsConfig, ids: readonly string[]): readonly string[] {
  const idsNamed = (name: string): readonly string[] => ids.filter((id) => bareName(id) === name)
  return placesOf(config).flatMap(([place, names]) =>
    [...names].flatMap((name) => {
      const meant = name.includes('/') ? [] : meantBy(name, idsNamed)
      if (meant.length < 2) return []
      const all = `${meant.slice(0, -1).join(', ')} and ${meant.at(-1) ?? ''}`
      const effect = place === 'plugins.disabled' ? 'all of them are off' : 'none of them is given what is written there'
      return [`${place}: ${name} may be ${all}: ${effect}; write the whole id of the one that is meant`]
    }),
  )
}

/** Provider types in the configuration that none of `types` is, as sentences with the nearest that one is. */
export function unprovidedTypes(
  { providers, plugins }: Pick<HostConfig, 'providers' | 'plugins'>,
  types: readonly string[],
): readonly string[] {
  const named = [
    ...[...providers].map(([name, { type }]) => [`providers.${name}`, type] as const),
    ...[...plugins.providers.keys()].map((type) => ['plugins.providers', type] as const),
  ]
  return named
    .filter(([, type]) => !types.includes(type))
    .map(([place, type]) => `${place}: no plugin provides ${type} now${didYouMean(type, types)}`)
}

type NamedPlace = readonly [place: string, names: Iterable<string>]

function placesOf(config: PluginsConfig): readonly NamedPlace[] {
  return [
    ['plugins.allow or enabled', config.allow ?? []],
    ['plugins.disabled', config.deny],
    ['plugins.per_plugin', config.perPlugin.keys()],
    ['plugins.waive', config.waive.keys()],
    ['plugins.audit', config.audit === true ? [] : config.audit],
    ['plugins.providers', config.typeOwners.values()],
    ['plugins.config', config.config.keys()],
    ['plugins.scanners', config.scanners.flatMap((one) => (one.kind === 'plugin' ? [one.plugin] : []))],
    ...Object.entries(config.namespaces).map(([name, { plugins }]) => [`plugins.namespaces.${name}`, plugins] as const),
  ]
}
