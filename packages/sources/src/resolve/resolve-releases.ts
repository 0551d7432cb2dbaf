import { Demands, type Demand } from './demands.ts'
import { explain, type Refusal } from './explain.ts'
import { fits, meets } from './fits.ts'
import { KnownUniverse } from './known-universe.ts'
import { loadOrder } from './load-order.ts'
import type { Release, Resolution, ResolveRequest } from './release.ts'

/** Choices tried before the question counts as too hard to answer. */
const mostTries = 100_000

/**
 * Chooses one version of each plugin that is wished for or needed, the best that fit together: what is preferred stays where
 * it fits, then the universe's order counts. The same question has the same answer. A search with backjumping: a choice that
 * has nothing to do with a dead end is not tried again because of it.
 */
export async function resolveReleases(request: ResolveRequest): Promise<Resolution> {
  const search = new Search(request)
  const chosen = await search.run()
  if (chosen === undefined) return { ok: false, conflict: await explain(search.refusal, search.universe, request) }
  const order = loadOrder(chosen)
  if (order.ok) return { ok: true, releases: order.releases }
  const [first = ''] = order.cycle
  return {
    ok: false,
    conflict: { chain: [order.cycle.join(' needs ')], fix: `Ask the publisher of ${first} to break the circle.` },
  }
}

/** Ids of plugins whose choice led to a dead end. */
type Culprits = ReadonlySet<string>

class Search {
  readonly universe: KnownUniverse
  /** Why the first dead end was one: the way there took the best of everything, so it is what people mean. */
  refusal: Refusal = { kind: 'too-hard', tries: mostTries }
  readonly #request: ResolveRequest
  readonly #demands = new Demands()
  readonly #chosen = new Map<string, Release>()
  #tries = 0
  #isRefused = false

  constructor(request: ResolveRequest) {
    this.#request = request
    this.universe = new KnownUniverse(request.universe, request.prefer)
  }

  /** Undefined when nothing fits. */
  async run(): Promise<ReadonlyMap<string, Release> | undefined> {
    for (const { id, range, by } of this.#request.wishes) this.#demands.add(id, { range, by, from: undefined })
    return (await this.#solve()) === undefined ? this.#chosen : undefined
  }

  /** Chooses for everything that is open; undefined when that came out, else whose choices kept it from that. */
  async #solve(): Promise<Culprits | undefined> {
    const id = this.#demands.firstOpen(this.#chosen)
    return id === undefined ? this.#offerCapabilities() : this.#solveFor(id)
  }

  async #solveFor(id: string): Promise<Culprits | undefined> {
    const demands = this.#demands.of(id)
    const culprits = new Set(demands.flatMap(({ from }) => from ?? []))
    let isAnyTried = false
    for await (const version of this.universe.candidates(id)) {
      if ((this.#tries += 1) > mostTries) return new Set()
      if (!demands.every((demand) => meets(version, demand))) continue
      const release = await this.universe.release(id, version)
      if (release === undefined || !fits(this.#request.hostApi, release.api)) continue
      if (!demands.every(({ capability }) => capability === undefined || isOfferedBy(release, capability))) continue
      isAnyTried = true
      const blame = await this.#try(release)
      if (blame === undefined) return undefined
      if (!blame.has(id)) return blame
      for (const each of blame) if (each !== id) culprits.add(each)
    }
    if (!isAnyTried) this.#refuse({ kind: 'nothing-fits', id, demands: [...demands] })
    return culprits
  }

  /** Goes on with a release, and takes everything back when that leads nowhere. */
  async #try(release: Release): Promise<Culprits | undefined> {
    const { id, version, dependencies } = release
    const mark = this.#demands.mark()
    this.#chosen.set(id, release)
    let blame: Culprits | undefined
    for (const { id: needed, range, optional } of dependencies) {
      if (optional) continue
      this.#demands.add(needed, { range, by: `${id} ${version}`, from: id })
      const other = this.#chosen.get(needed)
      if (other === undefined || fits(other.version, range)) continue
      this.#refuse({ kind: 'nothing-fits', id: needed, demands: [...this.#demands.of(needed)] })
      blame = new Set([id, needed])
      break
    }
    blame ??= await this.#solve()
    if (blame === undefined) return undefined
    this.#demands.goBackTo(mark)
    this.#chosen.delete(id)
    return blame
  }

  /** Everything demanded is chosen: what is left is what somebody else has to offer. */
  async #offerCapabilities(): Promise<Culprits | undefined> {
    for (const user of this.#chosen.values()) {
      for (const [capability, range] of Object.entries(user.requires)) {
        if (this.#isOffered(capability, range)) continue
        return this.#bringIn(capability, range, user)
      }
    }
    return undefined
  }

  async #bringIn(capability: string, range: string, user: Release): Promise<Culprits | undefined> {
    const by = `${user.id} ${user.version}`
    for (const id of await this.universe.providers(capability)) {
      if (this.#chosen.has(id)) continue
      const mark = this.#demands.mark()
      this.#demands.add(id, { range: '*', by, from: user.id, capability: { name: capability, range } })
      if ((await this.#solve()) === undefined) return undefined
      this.#demands.goBackTo(mark)
    }
    this.#refuse({ kind: 'nobody-offers', capability, range, by })
    // any other choice of any plugin might offer it
    return new Set(this.#chosen.keys())
  }

  #isOffered(capability: string, range: string): boolean {
    for (const release of this.#chosen.values()) if (isOfferedBy(release, { name: capability, range })) return true
    return false
  }

  #refuse(refusal: Refusal): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.refusal = refusal
  }
}

function isOfferedBy({ provides }: Release, { name, range }: NonNullable<Demand['capability']>): boolean {
  const version = provides[name]
  return version !== undefined && fits(version, range)
}
