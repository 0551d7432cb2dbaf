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
  const waitsFor = new Map<T, Set<T>>(sorted.map((handler) => [handler, new Set()]))
  for (const [earlier, laters] of edges) for (const later of laters) waitsFor.get(later)?.add(earlier)
  const ordered: T[] = []
  let phase = 0
  while (waitsFor.size > 0) {
    const open = sorted.filter((handler) => waitsFor.has(handler))
    phase = Math.max(phase, phaseOf(open[0]))
    const ready = open.find((handler) => phaseOf(handler) === phase && waitsFor.get(handler)?.size === 0)
    if (ready === undefined) return { ok: false, cycle: findCycle(open, phase, waitsFor) }
    ordered.push(ready)
    waitsFor.delete(ready)
    for (const others of waitsFor.values()) others.delete(ready)
  }
  return { ok: true, handlers: ordered }
}

/** Earlier handler → those its own and their metadata put after it. */
function constraints<T extends Ordered>(handlers: readonly T[]): ReadonlyMap<T, ReadonlySet<T>> {
  const edges = new Map<T, Set<T>>()
  const put = (earlier: T, later: T): void => {
    if (earlier.plugin !== later.plugin) edges.set(earlier, (edges.get(earlier) ?? new Set<T>()).add(later))
  }
  for (const handler of handlers) {
    const { before = [], after = [] } = handler.metadata
    if (before.length === 0 && after.length === 0) continue
    for (const other of handlers) {
      if (before.includes(other.plugin.id)) put(handler, other)
      if (after.includes(other.plugin.id)) put(other, handler)
    }
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
  waitsFor: ReadonlyMap<T, ReadonlySet<T>>,
): readonly string[] {
  const path: T[] = []
  let current = open.find((handler) => phaseOf(handler) === phase)
  while (current !== undefined && !path.includes(current)) {
    path.push(current)
    const [first]: readonly (T | undefined)[] = [...(waitsFor.get(current) ?? [])]
    current = first
  }
  const cycle = path.slice(current === undefined ? 0 : path.indexOf(current))
  const ids = cycle.toReversed().map((handler) => handler.plugin.id)
  return [...ids, ids[0] ?? '']
}

function phaseOf(handler: Ordered | undefined): number {
  return phases.indexOf(handler?.metadata.phase ?? 'normal')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
