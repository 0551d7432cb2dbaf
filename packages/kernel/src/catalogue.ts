import { PlatformError } from '@backplane/sdk'
import type { Core } from './core.ts'
import type { RefreshReport } from './kernel.ts'
import type { Candidate, Plugin } from './plugin.ts'
import type { Source, SourceListing } from './ports.ts'
import { check } from './stages/check.ts'
import { discover, type Discovered } from './stages/discover.ts'
import { isUnfit, Resolver } from './stages/resolve.ts'
import { failureOf } from './stages/stage-result.ts'
import { introduce, reconsider, replace, withdraw } from './succession.ts'

/** A package that lost by precedence is named by its path. */
interface Wanted {
  readonly first: Discovered
  readonly shadowed: string[]
}

/** Why plugins are switched off by the operator: id → reason. Survives restarts. */
export type Switches = Map<string, string>

/** Brings the kernel's plugins in line with what the sources have: one pass, the same for the first load and every later one. */
export class Catalogue {
  readonly #core: Core
  readonly #switches: Switches
  readonly #listings = new Map<Source, SourceListing>()
  /** Removed by hand: not taken up again until the fingerprint changes. */
  readonly #forgotten = new Map<string, string>()

  constructor(core: Core, switches: Switches) {
    this.#core = core
    this.#switches = switches
  }

  forget(plugin: Plugin): void {
    this.#forgotten.set(plugin.id, plugin.candidate.found.fingerprint)
  }

  /** Lists the sources and applies what changed; each plugin's failure stays its own. */
  async refresh(signal: AbortSignal): Promise<RefreshReport> {
    const core = this.#core
    const wanted = this.#wanted(await discover(core.options.sources, this.#listings, core.log, signal))
    const candidates = new Map<string, Candidate>()
    for (const [id, { first, shadowed }] of wanted) {
      const plugin = core.plugins.get(id)
      if (plugin !== undefined) plugin.shadowed = shadowed
      const known = [plugin?.candidate, plugin?.rejected].find((candidate) => candidate !== undefined && isSame(candidate, first))
      candidates.set(id, known ?? this.#check(id, first))
    }
    const removed = [...core.plugins.values()].filter(({ id }) => !wanted.has(id))
    for (const plugin of removed) void withdraw(core, plugin, `it was removed from ${plugin.candidate.source.name}`)
    this.#resolve(candidates)
    const { added, updated } = await this.#apply(candidates, wanted)
    await this.#startEager()
    return {
      added,
      updated,
      removed: removed.map(({ id }) => id),
      unchanged: candidates.size - added.length - updated.length,
      failed: [...core.plugins.values()].filter(isNotAsWanted).map(({ id }) => id),
    }
  }

  /** Looks at the plugins there are again, without asking the sources: one of them was switched on or off. */
  async review(): Promise<void> {
    const plugins = [...this.#core.plugins.values()]
    this.#resolve(new Map(plugins.map(({ id, candidate }) => [id, candidate])))
    for (const plugin of plugins) reconsider(this.#core, plugin)
    await this.#startEager()
  }

  /** What frees names comes before what takes them. */
  async #apply(
    candidates: ReadonlyMap<string, Candidate>,
    wanted: ReadonlyMap<string, Wanted>,
  ): Promise<{ added: string[]; updated: string[] }> {
    const core = this.#core
    const added: string[] = []
    const updated: string[] = []
    const changes: Promise<void>[] = []
    for (const plugin of core.plugins.values()) if (candidates.get(plugin.id)?.failure !== undefined) reconsider(core, plugin)
    for (const [id, candidate] of candidates) {
      const plugin = core.plugins.get(id)
      if (plugin === undefined) {
        added.push(id)
        introduce(core, candidate, { shadowed: wanted.get(id)?.shadowed ?? [], off: this.#switches.get(id) })
      } else if (plugin.candidate === candidate || plugin.rejected === candidate) {
        reconsider(core, plugin)
      } else {
        updated.push(id)
        changes.push(replace(core, plugin, candidate))
      }
    }
    await Promise.all(changes)
    return { added, updated }
  }

  /** Starts what does not wait for its first use; a failure is in the plugin's record. */
  async #startEager(): Promise<void> {
    const core = this.#core
    const wanted = [...core.plugins.values()].filter(
      (plugin) => plugin.usable && (plugin.state.name === 'idle' || plugin.state.name === 'stopped') && isEager(core, plugin),
    )
    await Promise.all(wanted.map((plugin) => core.activate(plugin).catch(() => undefined)))
  }

  /** The first package of an id wins; a package that cannot be read stands for the plugin that was at its path. */
  #wanted(found: readonly Discovered[]): Map<string, Wanted> {
    const byPath = new Map<string, string>()
    for (const plugin of this.#core.plugins.values())
      byPath.set(`${plugin.candidate.source.name} ${plugin.candidate.found.path}`, plugin.id)
    const wanted = new Map<string, Wanted>()
    for (const discovered of found) {
      const isAnonymous = discovered.id === discovered.path
      const id = (isAnonymous ? byPath.get(`${discovered.source.name} ${discovered.path}`) : undefined) ?? discovered.id
      if (this.#forgotten.get(id) === discovered.found?.fingerprint && discovered.found !== undefined) continue
      const first = wanted.get(id)
      if (first === undefined) wanted.set(id, { first: discovered, shadowed: [] })
      else first.shadowed.push(discovered.path)
    }
    for (const id of this.#forgotten.keys()) if (!found.some((discovered) => discovered.id === id)) this.#forgotten.delete(id)
    return wanted
  }

  #check(id: string, { source, found, problem }: Discovered): Candidate {
    if (found === undefined) return broken(id, source, problem)
    const result = check(found, this.#core)
    return {
      id,
      version: result.ok ? result.value.manifest.version : versionOf(found.manifest),
      source,
      found,
      manifest: result.ok ? result.value.manifest : undefined,
      failure: result.ok ? undefined : result.failure,
      denied: result.ok ? result.value.denied : undefined,
      notes: result.ok ? result.value.notes : [],
      needs: [],
      staged: undefined,
    }
  }

  /** What did not fit a moment ago may fit now, so everything is looked at again. */
  #resolve(candidates: ReadonlyMap<string, Candidate>): void {
    const { points } = this.#core
    const offReason = (candidate: Candidate): string | undefined => candidate.denied ?? this.#switches.get(candidate.id)
    const serves = ({ id }: Candidate): boolean => this.#core.plugins.get(id)?.serving !== undefined
    const resolver = new Resolver({ candidates, points, offReason, serves })
    for (const candidate of candidates.values()) {
      const plugin = this.#core.plugins.get(candidate.id)
      if (isUnfit(candidate) || (plugin?.serving !== undefined && plugin.candidate === candidate)) continue
      const result = resolver.resolve(candidate)
      candidate.failure = result.ok ? undefined : result.failure
      candidate.needs = result.ok ? result.value : []
    }
  }
}

function isSame(candidate: Candidate, { source, found, problem }: Discovered): boolean {
  if (candidate.source !== source) return false
  if (found !== undefined) return candidate.found.fingerprint === found.fingerprint && candidate.found.path === found.path
  return candidate.found.path === problem?.path && candidate.failure?.message === problem.error.message
}

function broken(id: string, source: Source, problem: Discovered['problem']): Candidate {
  const path = problem?.path ?? id
  const error = PlatformError.fromJSON(problem?.error)
  const stage = (): Promise<never> => Promise.reject(error)
  const found = { manifest: undefined, manifestPath: path, path, fingerprint: `broken ${error.message}`, stage }
  const failure = failureOf('discover', error)
  return {
    id,
    version: '0.0.0',
    source,
    found,
    manifest: undefined,
    failure,
    denied: undefined,
    notes: [],
    needs: [],
    staged: undefined,
  }
}

function versionOf(manifest: unknown): string {
  const version: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined
  return typeof version === 'string' && version.length <= 100 ? version : '0.0.0'
}

function isNotAsWanted({ state, update }: Plugin): boolean {
  return state.name === 'failed' || state.name === 'quarantined' || update !== undefined
}

function isEager(core: Core, { candidate }: Plugin): boolean {
  const { manifest } = candidate
  if (manifest === undefined) return false
  if (manifest.activation === 'eager' || core.criticalityOf(candidate) === 'required') return true
  for (const point of Object.keys(manifest.contributes)) if (core.points.find(point)?.point.activation === 'eager') return true
  return false
}
