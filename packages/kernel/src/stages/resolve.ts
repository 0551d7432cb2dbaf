import { didYouMean } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import { type Ordered, orderHandlers } from '../points/hook-order.ts'
import type { Policy } from '../kernel.ts'
import type { Candidate } from '../plugins/plugin.ts'
import type { Points } from '../points/points.ts'
import type { Failure } from '../record.ts'
import { satisfies } from '../version-range.ts'
import { Capabilities, needsAny, offers, requiredOf } from './capabilities.ts'
import { circlesAmong } from './circles.ts'
import { failureOf, type StageResult } from './stage-result.ts'

/** What a plugin is looked at among: every other one. */
export interface World {
  /** In order of precedence, one per id. */
  readonly candidates: ReadonlyMap<string, Candidate>
  /** Why a plugin that passed its check does not run all the same: switched off, denied. */
  readonly offReason: (candidate: Candidate) => string | undefined
  /** Permissions it asks for that the operator keeps from it. */
  readonly withheld: (candidate: Candidate) => readonly string[]
  /** What serves keeps its names: a newcomer never takes them from a running plugin. */
  readonly serves: (candidate: Candidate) => boolean
  readonly points: Points
  /** Who may have which name. */
  readonly reserved: Policy['reserved']
}

/** Whether the plugin is wrong by itself, whatever the others are. */
export function isUnfit(candidate: Candidate): boolean {
  return candidate.failure !== undefined && candidate.failure.stage !== 'resolve'
}

/** Members of a circle that is told member by member. */
const longestCircle = 256
/** Of why a plugin that is needed failed, characters. */
const longestReason = 1_000

/** Decides which plugins fit together: dependencies, capabilities, one provider per name, an order for every hook. */
export class Resolver {
  readonly #world: World
  readonly #capabilities: Capabilities | undefined
  readonly #dependencyFailures = new Map<Candidate, Failure | undefined>()
  readonly #results = new Map<Candidate, StageResult<readonly string[]>>()
  readonly #conflicts = new Map<Candidate, Failure>()
  readonly #cycles = new Map<string, readonly string[]>()
  /** Point, then name. */
  readonly #owners = new Map<string, Map<string, Candidate>>()
  readonly #orderFailures = new Map<string, Failure>()
  #circles: ReadonlyMap<Candidate, number> | undefined
  #isInOrder = false

  constructor(world: World) {
    this.#world = world
    const { candidates, serves } = world
    for (const candidate of candidates.values()) {
      const shut = this.#shutPoint(candidate)
      if (shut !== undefined) this.#dependencyFailures.set(candidate, shut)
    }
    const isThere = (candidate: Candidate): boolean => world.offReason(candidate) === undefined
    this.#capabilities = Capabilities.among({ candidates, serves, isThere, isUnfit })
    this.#lookFirstAtWhatIsNeeded()
    const viable = [...world.candidates.values()].filter((candidate) => this.#dependencyFailure(candidate) === undefined)
    const handlers = new Map<string, HookUser[]>()
    for (const candidate of viable) if (world.serves(candidate)) this.#claim(candidate, handlers)
    for (const candidate of viable) if (!world.serves(candidate)) this.#claim(candidate, handlers)
    for (const [point, users] of handlers) if (users.some(saysMore)) this.#order(point, users)
  }

  /** One plugin in, one result out: the ids to be started before it, or why it cannot run. */
  resolve(candidate: Candidate): StageResult<readonly string[]> {
    const known = this.#results.get(candidate)
    if (known !== undefined) return known
    const wrong = this.#dependencyFailure(candidate) ?? this.#conflicts.get(candidate) ?? this.#orderFailures.get(candidate.id)
    if (wrong !== undefined) return { ok: false, failure: wrong }
    if (!needsAny(candidate)) return fine
    if (!this.#isInOrder) this.#resolveFirstWhatIsNeeded()
    const result = this.#results.get(candidate) ?? this.#startsAfter(candidate)
    this.#results.set(candidate, result)
    return result
  }

  /**
   * What is needed before what needs it, so that a chain of thousands, which strangers may lay, takes no stack of as many calls; and
   * in a circle that is longer than any that is meant nobody looks for the way around.
   */
  #lookFirstAtWhatIsNeeded(): void {
    const capabilities = this.#capabilities
    if (capabilities === undefined) return
    const { candidates } = this.#world
    const lacking = [...candidates.values()].filter((one) => needsAny(one) && !capabilities.suffice(one))
    if (lacking.length === 0) return
    const circles = circlesAmong<Candidate | string>(lacking, (one) => {
      if (typeof one === 'string') return capabilities.offeredBy(one)
      if (isUnfit(one) || capabilities.suffice(one)) return none
      const needed = (one.declared?.dependencies ?? none).filter(({ optional }) => optional !== true)
      return [...needed.flatMap(({ id }) => candidates.get(id) ?? none), ...requiredOf(one).map(([name]) => name)]
    })
    const members = Map.groupBy(candidates.values(), (one) => circles.get(one))
    for (const circle of new Set(circles.values())) {
      const together = members.get(circle) ?? none
      for (const one of together) {
        if (together.length <= longestCircle) this.#dependencyFailure(one)
        else if (!this.#dependencyFailures.has(one)) {
          const cycle = `${one.id} → … → ${one.id}`
          this.#dependencyFailures.set(one, failure('DEPENDENCY_CYCLE', { plugin: one.id, cycle }))
        }
      }
    }
  }

  /** The same for what it is to be started after. Of those in a circle, which is one by what is optional, ranks tell who needs whom. */
  #resolveFirstWhatIsNeeded(): void {
    this.#isInOrder = true
    const rank = (one: Candidate): number => this.#capabilities?.rankOf(one) ?? Infinity
    const circles = this.#allCircles()
    const members = Map.groupBy(circles.keys(), (one) => circles.get(one))
    for (const circle of members.values())
      for (const one of circle.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)))) this.resolve(one)
  }

  #startsAfter(candidate: Candidate): StageResult<readonly string[]> {
    const first: string[] = []
    for (const { id, range, optional } of candidate.declared?.dependencies ?? []) {
      const other = this.#world.candidates.get(id)
      if (optional === true) {
        const fits = other !== undefined && satisfies(other.version, range) && !this.#isInCircle(candidate, other)
        if (fits && this.resolve(other).ok) first.push(id)
        continue
      }
      const result = other === undefined ? undefined : this.resolve(other)
      if (result?.ok === false) return { ok: false, failure: this.#failed(candidate, id, result.failure.message) }
      first.push(id)
    }
    for (const [capability, range] of requiredOf(candidate)) {
      const providers = this.#capabilities?.usableFor(candidate, capability, range) ?? none
      const provider = providers.find((other) => this.resolve(other).ok)
      if (provider === undefined) return { ok: false, failure: this.#noneOf(candidate, providers, capability, range) }
      if (!first.includes(provider.id)) first.push(provider.id)
    }
    return { ok: true, value: first }
  }

  /** What keeps a plugin off by itself or by what it needs; provider names and hook orders come later. */
  #dependencyFailure(candidate: Candidate, path: readonly string[] = none): Failure | undefined {
    if (isUnfit(candidate)) return candidate.failure
    if (this.#dependencyFailures.has(candidate)) return this.#dependencyFailures.get(candidate)
    if (!needsAny(candidate) || this.#capabilities?.suffice(candidate) === true) return undefined
    const wrong = this.#missing(candidate, [...path, candidate.id])
    this.#dependencyFailures.set(candidate, wrong)
    return wrong
  }

  /** A point it fills and may not, because what that takes is withheld from it. */
  #shutPoint(candidate: Candidate): Failure | undefined {
    const withheld = this.#world.withheld(candidate)
    if (withheld.length === 0) return undefined
    for (const { point } of candidate.declared?.contributions ?? none) {
      const permission = this.#world.points.find(point)?.point.permission
      if (permission !== undefined && withheld.includes(permission))
        return failure('POINT_WITHHELD', { plugin: candidate.id, point, permission })
    }
    return undefined
  }

  #missing(candidate: Candidate, path: readonly string[]): Failure | undefined {
    const plugin = candidate.id
    for (const { id: dependency, range, optional } of candidate.declared?.dependencies ?? []) {
      if (optional === true) continue
      const at = path.indexOf(dependency)
      if (at >= 0) {
        this.#noteCycle([...path.slice(at), dependency])
        continue
      }
      const other = this.#world.candidates.get(dependency)
      if (other === undefined) {
        const suggestion = didYouMean(dependency, this.#world.candidates.keys())
        return failure('DEPENDENCY_MISSING', { plugin, dependency, range, suggestion })
      }
      const off = this.#world.offReason(other)
      if (off !== undefined) return this.#failed(candidate, dependency, off)
      if (!isUnfit(other) && !satisfies(other.version, range)) {
        return failure('DEPENDENCY_MISMATCH', { plugin, dependency, range, version: other.version })
      }
      const broken = this.#dependencyFailure(other, path)
      if (broken !== undefined && !this.#cycles.has(plugin)) return this.#failed(candidate, dependency, broken.message)
    }
    for (const [capability, range] of requiredOf(candidate)) {
      const wrong = this.#lacks(candidate, capability, range, path)
      if (wrong !== undefined) return wrong
    }
    const cycle = this.#cycles.get(plugin)
    return cycle === undefined ? undefined : failure('DEPENDENCY_CYCLE', { plugin, cycle: cycle.join(' → ') })
  }

  #noteCycle(cycle: readonly string[]): void {
    for (const member of cycle) this.#cycles.set(member, cycle)
  }

  /** What keeps everybody who offers a capability from being of use; a circle is told by {@link #cycles}. */
  #lacks(candidate: Candidate, capability: string, range: string, path: readonly string[]): Failure | undefined {
    if ((this.#capabilities?.usableFor(candidate, capability, range).length ?? 0) > 0) return undefined
    let first: Failure | undefined
    for (const other of this.#capabilities?.offeredBy(capability) ?? none) {
      if (!offers(other, capability, range)) continue
      const at = path.indexOf(other.id)
      if (at >= 0) {
        this.#noteCycle([...path.slice(at), other.id])
        continue
      }
      const reason = this.#world.offReason(other) ?? this.#dependencyFailure(other, path)?.message
      if (reason === undefined) return undefined
      first ??= this.#failed(candidate, other.id, reason)
    }
    if (this.#cycles.has(candidate.id)) return undefined
    return first ?? this.#unprovided(candidate, capability, range)
  }

  /** Of providers that all come before it, none can run. */
  #noneOf(candidate: Candidate, [first]: readonly Candidate[], capability: string, range: string): Failure {
    const result = first === undefined ? undefined : this.resolve(first)
    if (first === undefined || result?.ok !== false) return this.#unprovided(candidate, capability, range)
    return this.#failed(candidate, first.id, result.failure.message)
  }

  #unprovided({ id: plugin }: Candidate, capability: string, range: string): Failure {
    const others = this.#capabilities?.offeredBy(capability) ?? none
    const known = others.map((other) => `${other.id} ${other.version} provides ${other.declared?.provides?.[capability] ?? ''}`)
    const suggestion = others.length > 0 ? '' : didYouMean(capability, this.#capabilities?.names ?? none)
    const found = others.length > 0 ? known.join(', ') : 'no plugin provides it'
    return failure('DEPENDENCY_NOT_PROVIDED', { plugin, capability, range, found, suggestion })
  }

  #failed(candidate: Candidate, dependency: string, reason: string): Failure {
    // told on from one to the next, through as many as there are
    const told = reason.length > longestReason ? `${reason.slice(0, longestReason)}…` : reason
    return failure('DEPENDENCY_FAILED', { plugin: candidate.id, dependency, reason: told })
  }

  /** The first by precedence owns a provider's name. */
  #claim(candidate: Candidate, handlers: Map<string, HookUser[]>): void {
    if (candidate.declared === undefined || this.#world.offReason(candidate) !== undefined) return
    for (const { point, name, metadata } of candidate.declared.contributions) {
      const kind = this.#world.points.find(point)?.point.kind
      if (kind === 'hook') getOrMake(handlers, point, () => []).push({ plugin: candidate, name, metadata })
      else if (kind === 'provider') this.#own(candidate, point, name)
    }
  }

  #own(candidate: Candidate, point: string, name: string): void {
    const owners = getOrMake(this.#owners, point, () => new Map<string, Candidate>())
    const owner = owners.get(name)
    const reason = this.#world.reserved?.({ point, name, id: candidate.id, origin: candidate.source.origin })
    if (reason !== undefined)
      this.#conflicts.set(candidate, failure('POINT_RESERVED', { plugin: candidate.id, point, name, reason }))
    else if (owner === undefined) owners.set(name, candidate)
    else this.#conflicts.set(candidate, failure('POINT_CONFLICT', { plugin: candidate.id, other: owner.id, point, name }))
  }

  /** Every plugin of a cycle fails, so that the rest has an order. */
  #order(point: string, users: readonly HookUser[]): void {
    let left = users
    for (let sequence = orderHandlers(left); !sequence.ok; sequence = orderHandlers(left)) {
      const members = new Set(sequence.cycle)
      for (const plugin of members) {
        this.#orderFailures.set(plugin, failure('HOOK_ORDER_CYCLE', { plugin, point, cycle: sequence.cycle.join(' before ') }))
      }
      left = left.filter(({ plugin }) => !members.has(plugin.id))
    }
  }

  /** Whether one that a plugin would wait for waits for it, by whomever. */
  #isInCircle(candidate: Candidate, other: Candidate): boolean {
    const circles = this.#allCircles()
    return circles.get(candidate) === circles.get(other)
  }

  #allCircles(): ReadonlyMap<Candidate, number> {
    const { candidates } = this.#world
    this.#circles ??= circlesAmong([...candidates.values()].filter(needsAny), (one) => {
      const dependencies = (one.declared?.dependencies ?? none).flatMap(({ id }) => candidates.get(id) ?? none)
      const usable = requiredOf(one).flatMap(([name, range]) => this.#capabilities?.usableFor(one, name, range) ?? none)
      return [...dependencies, ...usable]
    })
    return this.#circles
  }
}

interface HookUser extends Ordered {
  readonly plugin: Candidate
}

/** Whether a handler says more than its phase: only then can there be a cycle. */
function saysMore({ metadata }: HookUser): boolean {
  return metadata.before !== undefined || metadata.after !== undefined
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

const none: readonly never[] = Object.freeze([])
const fine: StageResult<readonly string[]> = Object.freeze({ ok: true, value: none })

function failure(code: Parameters<typeof kernelErrors.error>[0], parameters: Readonly<Record<string, string>>): Failure {
  return failureOf('resolve', kernelErrors.error(code, parameters))
}
