/** That a plugin be there, in one of some versions. */
export interface Demand {
  readonly range: string
  /** Who demands it, for people. */
  readonly by: string
  /** Id of the plugin whose choice brought it; undefined for a wish. */
  readonly from: string | undefined
  /** What it is to offer, where that is why it is demanded. */
  readonly capability?: { readonly name: string; readonly range: string }
}

/** Everything that is demanded on the way to a solution; goes back to any earlier moment. */
export class Demands {
  readonly #byId = new Map<string, Demand[]>()
  /** In the order in which they came. */
  readonly #trail: string[] = []

  add(id: string, demand: Demand): void {
    const demands = this.#byId.get(id) ?? []
    demands.push(demand)
    this.#byId.set(id, demands)
    this.#trail.push(id)
  }

  of(id: string): readonly Demand[] {
    return this.#byId.get(id) ?? []
  }

  /** The id that was demanded first of those that are not chosen. */
  firstOpen(chosen: ReadonlyMap<string, unknown>): string | undefined {
    for (const id of this.#byId.keys()) if (!chosen.has(id)) return id
    return undefined
  }

  /** This moment, for {@link goBackTo}. */
  mark(): number {
    return this.#trail.length
  }

  goBackTo(mark: number): void {
    while (this.#trail.length > mark) {
      const id = this.#trail.pop() ?? ''
      const demands = this.#byId.get(id)
      demands?.pop()
      if (demands?.length === 0) this.#byId.delete(id)
    }
  }
}
