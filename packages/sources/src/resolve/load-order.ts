import type { Release } from './release.ts'

/** An order in which everything comes after what it needs, or a circle that has none. */
export type LoadOrder =
  | { readonly ok: true; readonly releases: readonly Release[] }
  /** The first id is the last one as well. */
  | { readonly ok: false; readonly cycle: readonly string[] }

/** Orders releases for loading: what others need comes first, where nothing decides it is by id. An optional circle is none. */
export function loadOrder(chosen: ReadonlyMap<string, Release>): LoadOrder {
  const done = new Map<string, Release>()
  const ids = [...chosen.keys()].sort()
  for (const id of ids) {
    const cycle = visit(id, { chosen, done, path: [] })
    if (cycle !== undefined) return { ok: false, cycle }
  }
  return { ok: true, releases: [...done.values()] }
}

interface Visit {
  readonly chosen: ReadonlyMap<string, Release>
  readonly done: Map<string, Release>
  readonly path: readonly string[]
}

function visit(id: string, { chosen, done, path }: Visit): readonly string[] | undefined {
  const release = chosen.get(id)
  if (release === undefined || done.has(id)) return undefined
  const at = path.indexOf(id)
  if (at !== -1) return [...path.slice(at), id]
  for (const needed of needsOf(release, chosen)) {
    const cycle = visit(needed.id, { chosen, done, path: [...path, id] })
    if (cycle !== undefined && !needed.optional) return cycle
  }
  done.set(id, release)
  return undefined
}

function needsOf(
  { dependencies, requires }: Release,
  chosen: ReadonlyMap<string, Release>,
): readonly { readonly id: string; readonly optional: boolean }[] {
  const offering = Object.keys(requires).flatMap((capability) =>
    [...chosen.values()].filter(({ provides }) => Object.hasOwn(provides, capability)).map(({ id }) => ({ id, optional: false })),
  )
  return [...dependencies, ...offering].toSorted((one, other) => (one.id < other.id ? -1 : 1))
}
