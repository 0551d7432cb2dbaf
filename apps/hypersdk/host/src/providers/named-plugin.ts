import { bundledPluginIds } from '../daemon/bundled-plugins.ts'

/** The part of an id after the slash. */
export function bareName(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}

/**
 * The key under which the configuration speaks of a plugin: its id, or the part after the slash. Where a plugin that ships with
 * the host has that name, the name means that one and no other: a stranger's package is not given what was meant for it.
 */
export function keyOf(id: string, keys: { readonly has: (key: string) => boolean }): string | undefined {
  if (keys.has(id)) return id
  const name = bareName(id)
  const isAnothers = !bundledPluginIds.has(id) && [...bundledPluginIds].some((bundled) => bareName(bundled) === name)
  return keys.has(name) && !isAnothers ? name : undefined
}

/** What the configuration says of a plugin; see {@link keyOf}. */
export function saidOf<T>(id: string, said: ReadonlyMap<string, T>): T | undefined {
  const key = keyOf(id, said)
  return key === undefined ? undefined : said.get(key)
}
