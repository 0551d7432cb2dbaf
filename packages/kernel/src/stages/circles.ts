/** One whose way on is being looked at. */
interface Visit<T> {
  readonly one: T
  readonly next: readonly T[]
  readonly number: number
  looked: number
  /** The lowest number that it leads back to. */
  low: number
}

/**
 * Numbers the circles among `all`: two have the same number when each leads to the other, whatever stands between. In as many steps as
 * there are ways, and without a stack of calls, as strangers say what leads where. Source: Tarjan, "Depth-First Search and Linear
 * Graph Algorithms" (1972).
 */
export function circlesAmong<T>(all: Iterable<T>, leadsTo: (one: T) => readonly T[]): ReadonlyMap<T, number> {
  const circles = new Map<T, number>()
  const open = new Map<T, Visit<T>>()
  const opened: Visit<T>[] = []
  const way: Visit<T>[] = []
  const enter = (one: T): void => {
    const number = circles.size + open.size
    const visit = { one, next: leadsTo(one), number, looked: 0, low: number }
    open.set(one, visit)
    opened.push(visit)
    way.push(visit)
  }
  for (const start of all) {
    if (!circles.has(start)) enter(start)
    for (let visit = way.at(-1); visit !== undefined; visit = way.at(-1)) {
      const other = visit.next[visit.looked]
      visit.looked += 1
      const met = other === undefined ? undefined : open.get(other)
      if (met !== undefined) visit.low = Math.min(visit.low, met.number)
      else if (other !== undefined && !circles.has(other)) enter(other)
      else if (visit.looked > visit.next.length) leave(visit)
    }
  }
  return circles

  /** Nothing more leads on from it. Where it leads back to nobody before it, what was opened since then is its circle. */
  function leave({ number, low }: Visit<T>): void {
    way.pop()
    const before = way.at(-1)
    if (before !== undefined) before.low = Math.min(before.low, low)
    if (low < number) return
    for (let last = opened.at(-1); last !== undefined && last.number >= number; last = opened.at(-1)) {
      opened.pop()
      open.delete(last.one)
      circles.set(last.one, number)
    }
  }
}
