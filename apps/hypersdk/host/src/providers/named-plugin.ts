import { bundledPluginIds } from '../daemon/bundled-plugins.ts'
import type { IdsNamed } from './plugin-names.ts'

/** The part of an id after the slash. */
export function bareName(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}

/** The plugins that a name in the configuration may mean. Where one that ships with the host has it, that one and no other. */
export function meantBy(name: string, idsNamed: IdsNamed): readonly string[] {
  const own = [...bundledPluginIds].filter((id) => bareName(id) === name)
  return own.length > 0 ? own : idsNamed(name)
}

/**
 * The key under which the configuration speaks of a plugin: its id, or the part after the slash where no other plugin has that.
 * So a stranger's package is not given what was meant for another, whose name it has taken. Without `idsNamed` only names of
 * plugins that ship with the host are kept from others: for what takes something away and never gives.
 */
export function keyOf(id: string, keys: { readonly has: (key: string) => boolean }, idsNamed?: IdsNamed): string | undefined {
  if (keys.has(id)) return id
  const name = bareName(id)
  if (!keys.has(name)) return undefined
  return meantBy(name, idsNamed ?? (() => [id])).every((meant) => meant === id) ? name : undefined
}

/** What the configuration says of a plugin; see {@link keyOf}. */
export function saidOf<T>(id: string, said: ReadonlyMap<string, T>, idsNamed?: IdsNamed): T | undefined {
  const key = keyOf(id, said, idsNamed)
  return key === undefined ? undefined : said.get(key)
}
