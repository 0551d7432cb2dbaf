import type { Candidate } from '../plugins/plugin.ts'
import { satisfies } from '../version-range.ts'

/** Whom capabilities are looked for among. */
interface Offering {
  /** In order of precedence, one per id. */
  readonly candidates: ReadonlyMap<string, Candidate>
  /** Whether others may count on it, as far as it alone decides. */
  readonly isThere: (candidate: Candidate) => boolean
  /** What is wrong by itself needs nothing, and nobody has it. */
  readonly isUnfit: (candidate: Candidate) => boolean
  readonly serves: (candidate: Candidate) => boolean
}

/**
 * What plugins need of whoever offers it. Who can have all they need stand in one order, each after what it needs, so that of
 * several that offer the same one is taken that does not need, in turn, who needs it.
 */
export class Capabilities {
  readonly #offering: Offering
  readonly #providers: ReadonlyMap<string, readonly Candidate[]>
  readonly #ranks: ReadonlyMap<Candidate, number>

  private constructor(offering: Offering) {
    this.#offering = offering
    this.#providers = providersAmong(offering.candidates.values())
    this.#ranks = ranked(offering)
  }

  /** Undefined where nobody needs anybody. */
  static among(offering: Offering): Capabilities | undefined {
    for (const candidate of offering.candidates.values()) if (needsAny(candidate)) return new Capabilities(offering)
    return undefined
  }

  /** Whether a plugin has all it needs, whether by id or by capability. */
  suffice(candidate: Candidate): boolean {
    return this.#ranks.has(candidate)
  }

  /** Place in the order in which everything comes after what it needs; undefined for what lacks something. */
  rankOf(candidate: Candidate): number | undefined {
    return this.#ranks.get(candidate)
  }

  /** Everybody who offers a capability in any version, in order of precedence. */
  offeredBy(capability: string): readonly Candidate[] {
    return this.#providers.get(capability) ?? none
  }

  /** Of those who offer what is needed the ones a plugin may wait for: what serves first, then by precedence. */
  usableFor(candidate: Candidate, capability: string, range: string): readonly Candidate[] {
    const own = this.#ranks.get(candidate) ?? 0
    const usable = this.offeredBy(capability).filter((other) => {
      const isBefore = (this.#ranks.get(other) ?? Infinity) < own
      return isBefore && this.#offering.isThere(other) && offers(other, capability, range)
    })
    const { serves } = this.#offering
    return [...usable.filter(serves), ...usable.filter((other) => !serves(other))]
  }

  /** All names there are, for the nearest. */
  get names(): Iterable<string> {
    return this.#providers.keys()
  }
}

/** What a plugin needs from others: capability, range. What it offers itself it has. */
export function requiredOf(candidate: Candidate): readonly (readonly [capability: string, range: string])[] {
  const { capabilities } = candidate.declared?.requires ?? {}
  if (capabilities === undefined) return none
  return Object.entries(capabilities).filter(([capability, range]) => !offers(candidate, capability, range))
}

/** Whether a plugin offers a capability in a version within the range. */
export function offers({ declared }: Candidate, capability: string, range: string): boolean {
  const { provides } = declared ?? {}
  const version = provides !== undefined && Object.hasOwn(provides, capability) ? provides[capability] : undefined
  return version !== undefined && satisfies(version, range)
}

const none: readonly never[] = Object.freeze([])

/** Whether it says that it needs another, by id or by capability. */
export function needsAny({ declared }: Candidate): boolean {
  return declared !== undefined && (declared.dependencies.length > 0 || declared.requires.capabilities !== undefined)
}

function providersAmong(candidates: Iterable<Candidate>): ReadonlyMap<string, readonly Candidate[]> {
  const providers = new Map<string, Candidate[]>()
  for (const candidate of candidates) {
    for (const capability in candidate.declared?.provides) {
      const known = providers.get(capability)
      if (known === undefined) providers.set(capability, [candidate])
      else known.push(candidate)
    }
  }
  return providers
}

interface Waiting {
  readonly user: Candidate
  readonly range: string
}

/** Everybody's place in an order in which everything comes after what it needs. What is not in it lacks something or is in a circle. */
function ranked({ candidates, isThere, isUnfit }: Offering): ReadonlyMap<Candidate, number> {
  const open = new Map<Candidate, number>()
  const forPlugin = new Map<string, Waiting[]>()
  const forCapability = new Map<string, Waiting[]>()
  const ready: Candidate[] = []
  for (const user of candidates.values()) {
    if (isUnfit(user)) continue
    const dependencies = (user.declared?.dependencies ?? none).filter(({ optional }) => optional !== true)
    const required = requiredOf(user)
    for (const { id, range } of dependencies) waitFor(forPlugin, id, { user, range })
    for (const [capability, range] of required) waitFor(forCapability, capability, { user, range })
    if (dependencies.length + required.length === 0) ready.push(user)
    else open.set(user, dependencies.length + required.length)
  }
  const met = new Set<Waiting>()
  const meet = (waiting: Waiting): void => {
    if (met.has(waiting)) return
    met.add(waiting)
    const left = (open.get(waiting.user) ?? 0) - 1
    open.set(waiting.user, left)
    if (left === 0) ready.push(waiting.user)
  }
  const ranks = new Map<Candidate, number>()
  // grows while it is gone through
  for (const candidate of ready) {
    ranks.set(candidate, ranks.size)
    if (!isThere(candidate)) continue
    for (const waiting of forPlugin.get(candidate.id) ?? none) if (satisfies(candidate.version, waiting.range)) meet(waiting)
    for (const capability in candidate.declared?.provides) {
      for (const waiting of forCapability.get(capability) ?? none) if (offers(candidate, capability, waiting.range)) meet(waiting)
    }
  }
  return ranks
}

function waitFor(waiting: Map<string, Waiting[]>, key: string, one: Waiting): void {
  const known = waiting.get(key)
  if (known === undefined) waiting.set(key, [one])
  else known.push(one)
}
