import type { Core } from '../core.ts'
import { withdraw } from './departure.ts'
import { isEager } from './is-eager.ts'
import type { RefreshReport } from '../kernel.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { rememberSummaries, wasRead } from './remember-summaries.ts'
import type { Source, SourceListing } from '../ports.ts'
import { candidateOf, isSame } from '../stages/candidate.ts'
import { contentsOf, discover, type Discovered } from '../stages/discover.ts'
import { isUnfit, Resolver } from '../stages/resolve.ts'
import { insteadOfUnapproved, type Offered, select } from './selection.ts'
import { introduce, reconsider, replace } from './succession.ts'

/** What was found for one id; what lost by precedence is named by its path. */
interface Wanted {
  readonly first: Discovered
  readonly shadowed: string[]
  readonly others: Discovered[]
}

/** One pass over the sources, begun. */
export interface Refresh {
  /** Settles once all that follows from it is over; never rejects. */
  readonly done: Promise<RefreshReport>
  /** Settles once the sources have kept what was read; never rejects. */
  readonly remembered: Promise<void>
}

interface Applied {
  readonly added: string[]
  readonly updated: string[]
  readonly changes: { readonly plugin: Plugin; readonly work: Promise<void> }[]
}

/** Brings the kernel's plugins in line with what the sources have: one pass, the same for the first load and every later one. */
export class Catalogue {
  readonly #core: Core
  readonly #listings = new Map<Source, SourceListing>()
  /** Removed by hand: not taken up again until the fingerprint changes. */
  readonly #forgotten = new Map<string, string>()

  constructor(core: Core) {
    this.#core = core
  }

  forget(plugin: Plugin): void {
    const held = this.#core.choices.held(plugin.id)
    this.#forgotten.set(plugin.id, held?.fingerprint ?? plugin.candidate.found.fingerprint)
  }

  /**
   * Lists the sources and begins what follows from it: what is new is taken in and what is gone is refused at once, what
   * is replaced starts beside the old. `done` settles with the report once all of that is over; it never rejects.
   */
  async refresh(signal: AbortSignal): Promise<Refresh> {
    const core = this.#core
    const wanted = this.#wanted(await discover(core.options.sources, this.#listings, core.log, signal))
    const selected = await this.#select(wanted, signal)
    signal.throwIfAborted()
    const candidates = new Map<string, Candidate>()
    const read: Candidate[] = []
    for (const [id, { first, shadowed }] of wanted) {
      const plugin = core.plugins.get(id)
      if (plugin !== undefined) plugin.shadowed = shadowed
      const known = selected.get(id) ?? sameCandidate(plugin, first)
      const candidate = known ?? candidateOf(id, first, core)
      const waits = known === undefined && isFit(candidate) && core.unapproved(candidate).length > 0
      candidates.set(id, (waits ? await insteadOfUnapproved(core, candidate, signal) : undefined) ?? candidate)
      if (known === undefined && wasRead(candidate)) read.push(candidate)
    }
    const removed = [...core.plugins.values()].filter(({ id, isRemoved }) => !isRemoved && !wanted.has(id))
    for (const plugin of removed) {
      core.inBackground(plugin, withdraw(core, plugin, `it was removed from ${plugin.candidate.source.name}`))
    }
    this.#resolve(candidates)
    const { added, updated, changes } = this.#apply(candidates, wanted)
    const done = this.#finish(changes).then(() => ({
      added,
      updated,
      removed: removed.map(({ id }) => id),
      unchanged: candidates.size - added.length - updated.length,
      failed: [...core.plugins.values()].filter(isNotAsWanted).map(({ id }) => id),
    }))
    return { done, remembered: rememberSummaries(core, read) }
  }

  /** Looks at the plugins there are again, without asking the sources: one of them was switched on or off. */
  async review(): Promise<void> {
    const plugins = [...this.#core.plugins.values()]
    this.#resolve(new Map(plugins.map(({ id, candidate }) => [id, candidate])))
    for (const plugin of plugins) reconsider(this.#core, plugin)
    await this.#startEager()
  }

  /** The first package of an id wins; a package that cannot be read stands for the plugin that was at its path. */
  #wanted(found: readonly Discovered[]): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>()
    const unchanged = new Set<string>()
    for (const discovered of found) {
      const id = (discovered.id === discovered.path ? this.#idAt(discovered) : undefined) ?? discovered.id
      const isForgotten = discovered.found !== undefined && this.#forgotten.get(id) === discovered.found.fingerprint
      // what cannot be read now may be what was removed
      if (isForgotten || discovered.found === undefined) unchanged.add(id)
      if (isForgotten) continue
      const first = wanted.get(id)
      if (first === undefined) {
        wanted.set(id, { first: discovered, shadowed: [], others: [] })
        continue
      }
      first.shadowed.push(discovered.path)
      first.others.push(discovered)
    }
    for (const id of this.#forgotten.keys()) if (!unchanged.has(id)) this.#forgotten.delete(id)
    return wanted
  }

  /** What serves by somebody's decision, or because something newer was found wanting. */
  async #select(wanted: ReadonlyMap<string, Wanted>, signal: AbortSignal): Promise<ReadonlyMap<string, Candidate>> {
    const selected = new Map<string, Candidate>()
    const { choices, supervisor } = this.#core
    for (const id of new Set([...choices.ids(), ...supervisor.quarantines.ids()])) {
      const found = wanted.get(id)
      if (found === undefined) continue
      const candidate = await select(this.#core, id, [found.first, ...found.others], signal)
      if (candidate !== undefined) selected.set(id, candidate)
    }
    return selected
  }

  /** What the sources have of a plugin now, in order of precedence; undefined when none has it any more. */
  offered(plugin: string): Offered | undefined {
    const { sources } = this.#core.options
    const found = sources.flatMap((source) => contentsOf(source, this.#listings.get(source) ?? nothing))
    const [first, ...others] = found.filter(({ id }) => id === plugin)
    return first === undefined ? undefined : [first, ...others]
  }

  /** Which plugin was found at this place before. */
  #idAt({ source, path }: Discovered): string | undefined {
    for (const { id, candidate } of this.#core.plugins.values()) {
      if (candidate.source === source && candidate.found.path === path) return id
    }
    return undefined
  }

  /** What did not fit a moment ago may fit now, so everything is looked at again; what serves goes on as it is. */
  #resolve(candidates: ReadonlyMap<string, Candidate>): void {
    const { points, plugins, withheld } = this.#core
    const offReason = (candidate: Candidate): string | undefined => candidate.denied ?? this.#core.offReason(candidate)
    const serves = ({ id }: Candidate): boolean => plugins.get(id)?.serving !== undefined
    const resolver = new Resolver({ candidates, points, offReason, withheld, serves, reserved: this.#core.policy.reserved })
    for (const candidate of candidates.values()) {
      const plugin = plugins.get(candidate.id)
      if (isUnfit(candidate) || (plugin?.serving !== undefined && plugin.candidate === candidate)) continue
      const result = resolver.resolve(candidate)
      candidate.failure = result.ok ? undefined : result.failure
      candidate.needs = result.ok ? result.value : []
    }
  }

  /** What frees names comes before what takes them. */
  #apply(candidates: ReadonlyMap<string, Candidate>, wanted: ReadonlyMap<string, Wanted>): Applied {
    const core = this.#core
    const applied: Applied = { added: [], updated: [], changes: [] }
    for (const plugin of core.plugins.values()) {
      if (candidates.get(plugin.id) === plugin.candidate && plugin.candidate.failure !== undefined) reconsider(core, plugin)
    }
    for (const [id, candidate] of candidates) {
      const plugin = core.plugins.get(id)
      if (plugin === undefined) {
        applied.added.push(id)
        introduce(core, candidate, wanted.get(id)?.shadowed ?? [])
      } else if (plugin.candidate === candidate && !plugin.isRemoved) {
        reconsider(core, plugin)
      } else if (plugin.isRemoved || (plugin.rejected !== candidate && plugin.incoming !== candidate)) {
        const list = plugin.isRemoved ? applied.added : applied.updated
        list.push(id)
        applied.changes.push({ plugin, work: replace(core, plugin, candidate) })
      }
    }
    return applied
  }

  async #finish(changes: Applied['changes']): Promise<void> {
    for (const { plugin, work } of changes) this.#core.inBackground(plugin, work)
    await Promise.allSettled([this.#startEager(), ...changes.map(({ work }) => work)])
    if (changes.length > 0) await this.#startEager()
    this.#core.stagedBytes.review(this.#core)
  }

  /** Starts what does not wait for its first use; a failure is in the plugin's record. */
  async #startEager(): Promise<void> {
    const core = this.#core
    const wanted = [...core.plugins.values()].filter((plugin) => {
      const { name } = plugin.state
      return plugin.usable && (name === 'idle' || name === 'stopped') && isEager(core, plugin)
    })
    await Promise.allSettled(wanted.map((plugin) => core.activate(plugin)))
  }
}

const nothing: SourceListing = Object.freeze({ packages: [], problems: [] })

/** The candidate that was made of this very package before. */
function sameCandidate(plugin: Plugin | undefined, first: Discovered): Candidate | undefined {
  const known = plugin === undefined ? [] : [plugin.incoming, plugin.candidate, plugin.rejected]
  return known.find((candidate) => candidate !== undefined && isSame(candidate, first))
}

function isFit({ failure, denied }: Candidate): boolean {
  return failure === undefined && denied === undefined
}

function isNotAsWanted({ state, update }: Plugin): boolean {
  return state.name === 'failed' || state.name === 'quarantined' || state.name === 'blocked' || update !== undefined
}
