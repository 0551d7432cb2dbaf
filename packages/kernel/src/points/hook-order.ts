import type { HandlerOrder } from '@backplane/sdk'

/** A handler as far as its order goes. */
export interface Ordered {
  readonly plugin: { readonly id: string }
  readonly name: string
  readonly metadata: HandlerOrder
}

/** Handlers in order, or the plugins that cannot be ordered, first one repeated at the end. */
export type HandlerSequence<T> =
  | { readonly ok: true; readonly handlers: readonly T[] }
  | { readonly ok: false; readonly cycle: readonly string[] }

const phases = ['early', 'normal', 'late'] as const

/**
 * Phase, then what `before` and `after` say, then plugin id, then name: the same handlers always run in the same order,
 * whatever order they were found in. A `before` or `after` against the phases is a cycle too.
 */
export function orderHandlers<T extends Ordered>(handlers: readonly T[]): HandlerSequence<T> {
  const sorted = handlers.toSorted(
    (a, b) => phaseOf(a) - phaseOf(b) || compare(a.plugin.id, b.plugin.id) || compare(a.name, b.name),
  )
  const edges = constraints(sorted)
  if (edges.size === 0) return { ok: true, handlers: sorted }
  const places = new Map(sorted.map((handler, at) => [handler, at]))
  const waits = waitsOf(edges)
  const ordered = new Set<T>()
  for (const phase of phases.keys()) {
    const from = ordered.size
    const end = sorted.findLastIndex((handler) => phaseOf(handler) <= phase) + 1
    for (let at = from; at < end;) {
      const handler = sorted[at]
      at += 1
      if (handler === undefined || ordered.has(handler) || (waits.get(handler) ?? 0) > 0) continue
      ordered.add(handler)
      // All before `at` have run or wait for somebody: the first of them that waits no more is next.
      for (const later of edges.get(handler) ?? none) {
        const left = (waits.get(later) ?? 0) - 1
        waits.set(later, left)
        const place = places.get(later) ?? end
        if (left === 0 && place >= from) at = Math.min(at, place)
      }
    }
    if (ordered.size === end) continue
    const open = sorted.filter((handler) => !ordered.has(handler))
    return { ok: false, cycle: findCycle(open, phase, edges) }
  }
  return { ok: true, handlers: [...ordered] }
}

const none: readonly never[] = Object.freeze([])

/** How many each handler waits for. */
function waitsOf<T>(edges: ReadonlyMap<T, ReadonlySet<T>>): Map<T, number> {
  const waits = new Map<T, number>()
  for (const laters of edges.values()) for (const later of laters) waits.set(later, (waits.get(later) ?? 0) + 1)
  return waits
}

/** Earlier handler → those its own and their metadata put after it. */
function constraints<T extends Ordered>(handlers: readonly T[]): ReadonlyMap<T, ReadonlySet<T>> {
  const edges = new Map<T, Set<T>>()
  const byPlugin = Map.groupBy(handlers, ({ plugin }) => plugin.id)
  const put = (earlier: T, later: T): void => {
    if (earlier.plugin.id !== later.plugin.id) edges.set(earlier, (edges.get(earlier) ?? new Set<T>()).add(later))
  }
  for (const handler of handlers) {
    const { before = none, after = none } = handler.metadata
    for (const id of before) for (const other of byPlugin.get(id) ?? none) put(handler, other)
    for (const id of after) for (const other of byPlugin.get(id) ?? none) put(other, handler)
  }
  return edges
}

/**
 * Follows what is waited for from the first handler of the phase until one comes up again, or one is reached that only
 * its later phase keeps. Answers the way it should have run: each before the next.
 */
function findCycle<T extends Ordered>(
  open: readonly T[],
  phase: number,
  edges: ReadonlyMap<T, ReadonlySet<T>>,
): readonly string[] {
  const path = new Set<T>()
  let current = open.find((handler) => phaseOf(handler) === phase)
  while (current !== undefined && !path.has(current)) {
    const waiting: T = current
    path.add(waiting)
    current = open.find((other) => edges.get(other)?.has(waiting) === true)
  }
  const way = [...path]
  const cycle = way.slice(current === undefined ? 0 : way.indexOf(current))
  const ids = cycle.toReversed().map((handler) => handler.plugin.id)
  return [...ids, ids[0] ?? '']
}

function phaseOf(handler: Ordered | undefined): number {
  return phases.indexOf(handler?.metadata.phase ?? 'normal')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
