const leastSlots = 64

/**
 * What is in flight, by its rising id. A `Map` whose keys only ever rise is rebuilt all the time, and each dead table
 * keeps what it held alive until the next full collection; here an entry lives in a slot that the next one overwrites.
 * Entries that outlive their slot's turn move to a map.
 */
export class IdTable<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = Array.from({ length: leastSlots })
  readonly #slow = new Map<number, T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    const entry = this.#slots[id & (this.#slots.length - 1)]
    return entry?.id === id ? entry : this.#slow.get(id)
  }

  /** Its id must be higher than all before. */
  add(entry: T): void {
    if (this.#size === this.#slots.length) this.#grow()
    const slot = entry.id & (this.#slots.length - 1)
    const before = this.#slots[slot]
    if (before !== undefined) this.#slow.set(before.id, before)
    this.#slots[slot] = entry
    this.#size++
  }

  delete(id: number): void {
    const slot = id & (this.#slots.length - 1)
    if (this.#slots[slot]?.id === id) this.#slots[slot] = undefined
    else if (!this.#slow.delete(id)) return
    this.#size--
  }

  /** In the order of ids. */
  values(): T[] {
    const all = [...this.#slow.values()]
    for (const entry of this.#slots) if (entry !== undefined) all.push(entry)
    return all.sort((a, b) => a.id - b.id)
  }

  clear(): void {
    this.#slots.fill(undefined)
    this.#slow.clear()
    this.#size = 0
  }

  #grow(): void {
    const all = this.values()
    this.#slots = Array.from({ length: this.#slots.length * 2 })
    this.#slow.clear()
    this.#size = 0
    for (const entry of all) this.add(entry)
  }
}
