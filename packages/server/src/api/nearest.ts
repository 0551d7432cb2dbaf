/**
 * The candidate whose name is nearest to `wanted`, or undefined when none is near enough to have been meant: at most a
 * third of its letters differ. A candidate is its name and what is answered for it.
 */
export function nearest<T>(wanted: string, candidates: Iterable<readonly [string, T]>): T | undefined {
  let best: { readonly distance: number; readonly value: T } | undefined
  for (const [name, value] of candidates) {
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
    const distance = editDistance(wanted, name)
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { distance, value }
  }
  return best?.value
}

/** Letters to insert, delete or replace. Source: Levenshtein 1966, by rows. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const line = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      line.push(Math.min(replaced, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1))
    }
    above = line
  }
  return above.at(-1) ?? 0
}
