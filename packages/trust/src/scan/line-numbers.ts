/** Lines of a text, counted once however many places are asked for. */
export class LineNumbers {
  readonly #ends: readonly number[]

  constructor(source: string) {
    const ends: number[] = []
    for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) ends.push(at)
    this.#ends = ends
  }

  /** The line of a place, from 1. */
  at(offset: number): number {
    let [low, high] = [0, this.#ends.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low + 1
  }
}
