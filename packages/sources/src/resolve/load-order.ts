import { fits } from './fits.ts'
import type { Release } from './release.ts'

/** An order in which everything comes after what it needs, or a circle that has none. */
export type LoadOrder =
  | { readonly ok: true; readonly releases: readonly Release[] }
  /** The first id is the last one as well. */
  | { readonly ok: false; readonly cycle: readonly string[] }

type Chosen = ReadonlyMap<string, Release>

/**
 * Orders releases for loading: what others need comes first, where nothing decides it is by id. An optional circle is none, and
 * neither is one that somebody else opens who offers the same. The kernel decides alike when it starts them.
 */
export function loadOrder(chosen: Chosen): LoadOrder {
  const ids = [...chosen.keys()].sort()
  const offering = offeringOf(ids, chosen)
  const visit: Visit = { chosen, offering, ranks: ranked(ids, chosen, offering), done: new Map(), path: [] }
  for (const id of ids) {
    const cycle = visitOne(id, visit)
    if (cycle !== undefined) return { ok: false, cycle }
  }
  return { ok: true, releases: [...visit.done.values()] }
}

/** By capability, who offers it, by id. */
type Offering = ReadonlyMap<string, readonly Release[]>

interface Visit {
  readonly chosen: Chosen
  readonly offering: Offering
  readonly ranks: ReadonlyMap<string, number>
  readonly done: Map<string, Release>
  readonly path: readonly string[]
}

function visitOne(id: string, visit: Visit): readonly string[] | undefined {
  const { chosen, done, path } = visit
  const release = chosen.get(id)
  if (release === undefined || done.has(id)) return undefined
  const at = path.indexOf(id)
  if (at !== -1) return [...path.slice(at), id]
  for (const needed of needsOf(release, visit)) {
    const cycle = visitOne(needed.id, { ...visit, path: [...path, id] })
    if (cycle !== undefined && !needed.optional) return cycle
  }
  done.set(id, release)
  return undefined
}

function needsOf(release: Release, { offering, ranks }: Visit): readonly { readonly id: string; readonly optional: boolean }[] {
  const own = ranks.get(release.id)
  const capable = capabilitiesOf(release).flatMap(([capability, range]) => {
    const providers = providersOf(offering, capability, range)
    // without a rank it is in a circle, or hangs on one: then every way leads there
    const waited = own === undefined ? providers : providers.filter(({ id }) => (ranks.get(id) ?? Infinity) < own).slice(0, 1)
    return waited.map(({ id }) => ({ id, optional: false }))
  })
  return [...release.dependencies, ...capable].toSorted((one, other) => (one.id < other.id ? -1 : 1))
}

/** Everybody's place in some order in which everything comes after what it cannot do without; none for circles. */
function ranked(ids: readonly string[], chosen: Chosen, offering: Offering): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>()
  const open = new Set(ids)
  for (let before = -1; open.size !== before;) {
    before = open.size
    for (const id of open) {
      const release = chosen.get(id)
      if (release === undefined || !hasAll(release, offering, ranks)) continue
      ranks.set(id, ranks.size)
      open.delete(id)
    }
  }
  return ranks
}

function hasAll(release: Release, offering: Offering, ranks: ReadonlyMap<string, number>): boolean {
  if (release.dependencies.some(({ id, optional }) => !optional && !ranks.has(id))) return false
  return capabilitiesOf(release).every(([capability, range]) => {
    return providersOf(offering, capability, range).some(({ id }) => ranks.has(id))
  })
}

/** What it needs of others; what it offers itself it has. */
function capabilitiesOf({ requires, provides }: Release): readonly (readonly [capability: string, range: string])[] {
  return Object.entries(requires).filter(([capability, range]) => !fits(provides[capability] ?? '', range))
}

function providersOf(offering: Offering, capability: string, range: string): readonly Release[] {
  return (offering.get(capability) ?? []).filter(({ provides }) => fits(provides[capability] ?? '', range))
}

function offeringOf(ids: readonly string[], chosen: Chosen): Offering {
  const offering = new Map<string, Release[]>()
  for (const id of ids) {
    const release = chosen.get(id)
    if (release === undefined) continue
    for (const capability of Object.keys(release.provides)) {
      const known = offering.get(capability)
      if (known === undefined) offering.set(capability, [release])
      else known.push(release)
    }
  }
  return offering
}
