import type { Source, SourceListing } from '@backplane/kernel'

/** Ids of the plugins there are that have this name after the slash. */
export type IdsNamed = (name: string) => readonly string[]

/** The ids of all plugins that the sources have, by the part after the slash: what a bare name may mean. */
export class PluginNames {
  readonly #bySource = new Map<string, ReadonlySet<string>>()
  readonly #changed: () => void

  /** `changed` is called when the sources have other plugins than before. Must not throw. */
  constructor(changed: () => void = () => undefined) {
    this.#changed = changed
  }

  readonly idsNamed: IdsNamed = (name) => this.ids().filter((id) => id.endsWith(`/${name}`))

  /** Sorted. */
  ids(): readonly string[] {
    return [...new Set(this.#bySource.values().flatMap((ids) => ids))].toSorted()
  }

  /** The source, whose listings are noted. */
  noting(source: Source): Source {
    return {
      ...source,
      list: async (signal) => {
        const listing = await source.list(signal)
        this.#note(source.name, idsIn(listing))
        return listing
      },
    }
  }

  #note(source: string, ids: ReadonlySet<string>): void {
    const before = this.#bySource.get(source)
    if (before !== undefined && before.size === ids.size && [...ids].every((id) => before.has(id))) return
    this.#bySource.set(source, ids)
    this.#changed()
  }
}

/** What was read of a manifest before is enough, so that thousands need not be parsed. */
function idsIn({ packages }: SourceListing): ReadonlySet<string> {
  const ids = packages.map(({ summary, manifest }): unknown => summary?.manifest.id ?? Reflect.get(Object(manifest), 'id'))
  return new Set(ids.filter((id) => typeof id === 'string'))
}
