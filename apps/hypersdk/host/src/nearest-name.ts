/**
 * The name of `known` that `given` was most likely meant to be, or undefined when none is near: at most a third of its
 * letters differ (a swapped pair counts as one), or one is the beginning of the other.
 */
export function nearestName(given: string, known: Iterable<string>): string | undefined {
  const wanted = plain(given)
  let best: { name: string; distance: number } | undefined
  for (const name of known) {
    const candidate = plain(name)
    const distance = prefixed(wanted, candidate) ? 1 : editDistance(wanted, candidate)
    if (distance <= Math.max(1, Math.floor(candidate.length / 3)) && (best === undefined || distance < best.distance)) {
      best = { name, distance }
    }
  }
  return best?.name
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.\s]/g, '')
}

function prefixed(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= 3 && (a.startsWith(b) || b.startsWith(a))
}

/** Optimal string alignment distance; inputs longer than 64 letters are compared by their first 64. */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64)
  const b = right.slice(0, 64)
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    before = above
    above = current
  }
  return above[b.length] ?? 0
}
