import { exitText, pluginExited } from './calls/call-error.ts'
import { messageOf } from './calls/thrown.ts'
import type { Core } from './core.ts'
import { kernelErrors } from './errors.ts'
import type { Generation } from './plugins/generation.ts'
import { HealthWatch } from './plugins/health-watch.ts'
import { isEager } from './plugins/is-eager.ts'
import { activate, exited, setState } from './plugins/lifecycle.ts'
import { LimitWatch } from './plugins/limit-watch.ts'
import { Namespaces } from './plugins/namespaces.ts'
import type { Candidate, Plugin } from './plugins/plugin.ts'
import { type Quarantine, Quarantines } from './plugins/quarantines.ts'
import { Troubles, type TroubleVerdict } from './plugins/troubles.ts'
import { isRecalled } from './plugins/selection.ts'
import { Violations } from './plugins/violations.ts'
import type { ExitCause, LimitName } from './ports.ts'
import type { Failure } from './record.ts'
import { failureOf } from './stages/stage-result.ts'
import { isolationOf } from './stages/start-plan.ts'
import { stop } from './stages/stop.ts'
import { defaultSupervision, type Supervision } from './supervision.ts'

/** Failed starts in which code of the plugin died or hung; any other only says no. */
const crashes: ReadonlySet<string> = new Set(['RUNTIME_EXITED', 'RUNTIME_NOT_READY', 'PLUGIN_NOT_READY'])
/** Failed starts that may go better without anybody changing anything. */
const mayHeal: ReadonlySet<string> = new Set([...crashes, 'RUNTIME_SETUP_FAILED', 'PLUGIN_START_FAILED', 'DEPENDENCY_FAILED'])

/**
 * Watches over what runs and decides what follows when it does not do well: health, what is used, unexpected ends, starts
 * again with a growing wait, quarantine.
 */
export class Supervisor implements Disposable {
  readonly settings: Supervision
  readonly quarantines: Quarantines
  readonly namespaces: Namespaces
  readonly violations: Violations
  /** Generations that serve, drain or are kept ready. */
  readonly running: Set<Generation> = new Set()
  readonly #core: Core
  readonly #watches: readonly [HealthWatch, LimitWatch]
  readonly #retries = new Map<Plugin, Disposable>()
  /** The package that served last: another one does not answer for its failures. */
  readonly #served = new WeakMap<Plugin, Candidate>()

  constructor(core: Core) {
    this.#core = core
    this.settings = { ...defaultSupervision, ...core.options.supervision }
    this.quarantines = new Quarantines(core.store, core.log)
    this.namespaces = new Namespaces(core, this.running)
    this.violations = new Violations(core)
    this.#watches = [new HealthWatch(core, this.running), new LimitWatch(core, this.running)]
  }

  /** Reads what an earlier life of the host left. Whatever was starting in its process when it ended is left out this once. */
  async load(): Promise<void> {
    for (const { id, version, fingerprint, atMs } of await this.quarantines.load()) {
      const error = kernelErrors.error('PLUGIN_SUSPECTED', { plugin: id, version }, { plugin: id })
      await this.quarantines.add(id, { version, fingerprint, atMs, failure: failureOf('start', error) }, false)
      this.#core.events.record({ type: 'plugin.suspected', plugin: id, version })
      this.#core.log.write({ level: 'error', message: error.message, plugin: id })
    }
  }

  /** A generation takes calls from now on. */
  serves(generation: Generation): void {
    const { plugin } = generation
    generation.group = this.namespaces.groupOf(plugin)
    plugin.health = undefined
    plugin.usage = undefined
    if (this.#served.get(plugin) !== generation.candidate) plugin.breakers = undefined
    this.#served.set(plugin, generation.candidate)
    this.#forgetQuarantined(plugin, generation.candidate)
    if (this.running.has(generation)) return
    this.running.add(generation)
    void generation.instance.exited.then(() => this.running.delete(generation))
    for (const watch of this.#watches) watch.arm()
  }

  /** Nothing of a generation runs any more. One that its tier ended for what it used went over a limit. */
  exitedByItself(generation: Generation, cause: ExitCause): void {
    const { plugin, number } = generation
    const over = generation.ended === undefined ? limitOf(cause) : undefined
    const verdict = over !== undefined && this.violations.wanted(plugin, over.limit) === 'quarantine' ? 'quarantine' : undefined
    const action = plugin.probation?.watches(generation) === true ? 'move-back' : (verdict ?? 'restart')
    exited(this.#core, generation, withLines(cause, generation), verdict)
    if (over !== undefined) this.violations.report(plugin.id, number, { kind: 'limit', ...over }, action)
  }

  /** The generation that served ended unexpectedly. */
  ended({ plugin, candidate }: Generation, cause: ExitCause, verdict?: TroubleVerdict): void {
    plugin.usage = undefined
    const text = exitText(cause)
    if (plugin.candidate !== candidate || plugin.isMovingBack) {
      // the version before is in its place by now, or about to be, and does not answer for it
      setState(this.#core, plugin, { name: 'stopped', reason: `${candidate.version} ended: ${text}` })
      return
    }
    const noted = this.#note(plugin, true)
    switch (verdict ?? noted) {
      case 'again':
        setState(this.#core, plugin, { name: 'stopped', reason: `${text}; ${this.#startsBy(plugin)}` })
        if (isEager(this.#core, plugin)) this.#start(plugin)
        return
      case 'wait':
        return this.#wait(plugin, endedTooOften(plugin, cause))
      case 'quarantine':
        return this.#quarantine(plugin, verdict === undefined ? `${text}, again and again` : text)
    }
  }

  /** A start came to nothing. */
  startFailed(plugin: Plugin, failure: Failure): void {
    const verdict = this.#note(plugin, crashes.has(failure.code))
    if (verdict === 'quarantine') return this.#quarantine(plugin, `${failure.message}, again and again`)
    this.#wait(plugin, failure)
  }

  /** Ends a generation because of what it does; what is in it fails with the cause. Idempotent. */
  end(generation: Generation, cause: ExitCause, verdict?: TroubleVerdict): void {
    if (generation.ended !== undefined) return
    const core = this.#core
    const { plugin, gone } = generation
    const isGentle = cause.kind === 'unhealthy' || generation.instance.tier === 'trusted'
    exited(core, generation, cause, verdict)
    if (gone !== undefined) {
      // whoever lets it drain stops it now; not gently, unless it may be
      if (!isGentle) core.inBackground(plugin, generation.instance.stop(0))
      return
    }
    generation.retiredAtMs = core.clock.now()
    plugin.draining = [...plugin.draining, generation]
    generation.gone = this.#stop(generation, isGentle ? core.times.stopMs : 0)
    core.inBackground(plugin, generation.gone)
  }

  /** Lets a plugin out of quarantine, and forgets its troubles. Answers with what it was in quarantine for. */
  async release(plugin: Plugin): Promise<Quarantine | undefined> {
    const entry = await this.quarantines.release(plugin.id)
    if (entry === undefined) return undefined
    this.forgive(plugin)
    await plugin.inTurn(async () => {
      if (plugin.state.name === 'quarantined') setState(this.#core, plugin, { name: 'stopped', reason: 'it was released' })
    })
    return entry
  }

  /** Starts counting anew: another package is in its place, or somebody looked after it. */
  forgive(plugin: Plugin): void {
    plugin.troubles = undefined
    plugin.breakers = undefined
    this.#retries.get(plugin)?.[Symbol.dispose]()
    this.#retries.delete(plugin)
  }

  /** Runs a start whose end may be the host's, so that the next host knows. */
  suspecting<T>(candidate: Candidate, work: () => Promise<T>): Promise<T> {
    return this.quarantines.suspecting(candidate, this.#core.clock.now(), work)
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]()
    for (const retry of this.#retries.values()) retry[Symbol.dispose]()
    this.violations[Symbol.dispose]()
  }

  async #stop(generation: Generation, graceMs: number): Promise<void> {
    const { plugin } = generation
    const stopped = await stop(this.#core, generation, graceMs)
    plugin.draining = plugin.draining.filter((other) => other !== generation)
    if (!stopped.ok) this.#core.log.write({ level: 'error', message: stopped.failure.message, plugin: plugin.id })
  }

  #note(plugin: Plugin, isCrash: boolean): TroubleVerdict {
    const { clock, options } = this.#core
    const isCommunity = isolationOf(this.#core, plugin.candidate).trust === 'community'
    const most = this.settings.crashes ?? (isCommunity ? 3 : 5)
    const random = (options.random ?? Math.random)()
    return (plugin.troubles ??= new Troubles()).note({ nowMs: clock.now(), isCrash, crashes: most, random }, this.settings)
  }

  /** A new version ends the quarantine of the one it replaces; what only stands in for that one does not. */
  #forgetQuarantined({ id }: Plugin, serving: Candidate): void {
    const { choices } = this.#core
    const entry = this.quarantines.entry(id)
    if (entry === undefined || this.quarantines.of(serving) !== undefined || isRecalled(serving)) return
    if (choices.pinned(id) !== undefined || choices.held(id)?.fingerprint === entry.fingerprint) return
    const { log } = this.#core
    this.quarantines.release(id).catch((error: unknown) => log.write({ level: 'error', message: messageOf(error), plugin: id }))
  }

  #wait(plugin: Plugin, failure: Failure): void {
    const retryAtMs = plugin.troubles?.retryAtMs ?? 0
    setState(this.#core, plugin, { name: 'failed', failure, retryAtMs })
    this.#retries.get(plugin)?.[Symbol.dispose]()
    if (failure.code !== 'PLUGIN_EXITED' && !(mayHeal.has(failure.code) && isEager(this.#core, plugin))) return
    const waitMs = retryAtMs - this.#core.clock.now()
    this.#retries.set(
      plugin,
      this.#core.clock.after(waitMs, () => this.#retry(plugin)),
    )
  }

  /** One that is to run starts by itself; any other takes calls again. */
  #retry(plugin: Plugin): void {
    const core = this.#core
    this.#retries.delete(plugin)
    const { state } = plugin
    if (core.stopping.aborted || core.plugins.get(plugin.id) !== plugin || plugin.isBusy || state.name !== 'failed') return
    if (isEager(core, plugin)) this.#start(plugin)
    else setState(core, plugin, { name: 'stopped', reason: `${state.failure.message}; ${this.#startsBy(plugin)}` })
  }

  #start(plugin: Plugin): void {
    activate(this.#core, plugin).catch(() => undefined)
  }

  #startsBy(plugin: Plugin): string {
    return isEager(this.#core, plugin) ? 'it is started again' : 'the next call starts it again'
  }

  #quarantine(plugin: Plugin, reason: string): void {
    const { id, candidate } = plugin
    const failure = failureOf('start', kernelErrors.error('PLUGIN_QUARANTINED', { plugin: id, reason }, { plugin: id }))
    setState(this.#core, plugin, { name: 'quarantined', failure })
    const entry = { version: candidate.version, fingerprint: candidate.found.fingerprint, atMs: this.#core.clock.now(), failure }
    this.#core.inBackground(plugin, this.quarantines.add(id, entry))
  }
}

/** Where the tier kept no last lines of it, what it logged. */
/** Which limit a generation went over when its tier ended it for that. */
function limitOf(cause: ExitCause): { readonly limit: LimitName; readonly detail: string } | undefined {
  if (cause.kind === 'memory') return { limit: 'memory', detail: cause.detail }
  if (cause.kind !== 'limit' || cause.limit === undefined) return undefined
  return { limit: cause.limit, detail: cause.detail }
}

function withLines(cause: ExitCause, { lastLines }: Generation): ExitCause {
  return 'lastLines' in cause && cause.lastLines.length === 0 ? { ...cause, lastLines: lastLines() } : cause
}

function endedTooOften(plugin: Plugin, cause: ExitCause): Failure {
  const again = new Date(plugin.troubles?.retryAtMs ?? 0).toISOString()
  const message = `${exitText(cause)}, and not for the first time; calls are taken again from ${again}`
  return { ...failureOf('start', pluginExited(plugin, undefined, cause)), message, hint: `Look at the log of ${plugin.id}.` }
}
