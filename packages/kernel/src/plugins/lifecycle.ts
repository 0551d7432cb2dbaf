import { exitText, pluginExited } from '../calls/call-error.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { Generation } from './generation.ts'
import type { Ending } from './history.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { noteServing } from './rejection.ts'
import { unavailable } from '../points/points.ts'
import type { ExitCause } from '../ports.ts'
import { isLegalTransition, type PluginState, type StateName } from '../record.ts'
import { offers, requiredOf } from '../stages/capabilities.ts'
import { failureOf, type StageResult } from '../stages/stage-result.ts'
import { start, type Started } from '../stages/start.ts'
import { messageOf } from '../calls/thrown.ts'
import type { TroubleVerdict } from './troubles.ts'

/** States a plugin only passes through; who watches its points waits for the one it comes to. */
const passing: ReadonlySet<StateName> = new Set(['discovered', 'checked', 'resolved'])

/** Moves a plugin to a state, with its event; an illegal move is a mistake of the kernel and throws. */
export function setState(core: Core, plugin: Plugin, state: PluginState, isNew = false): void {
  const before = isNew ? undefined : plugin.state.name
  if (!isLegalTransition(before, state.name)) throw new TypeError(`${plugin.id} cannot go from ${before} to ${state.name}`)
  plugin.state = state
  plugin.sinceMs = core.clock.now()
  if (!passing.has(state.name)) core.points.touch(plugin)
  const failure = 'failure' in state ? state.failure : undefined
  const reason = 'reason' in state ? state.reason : failure?.message
  if (failure !== undefined) core.log.write({ level: 'error', message: `${failure.code}: ${failure.message}`, plugin: plugin.id })
  const { version } = plugin.candidate
  const event = {
    type: 'plugin.changed',
    plugin: plugin.id,
    version,
    from: before,
    to: state.name,
    generation: plugin.generation,
  } as const
  core.events.record(reason === undefined ? event : { ...event, reason }, plugin.sinceMs)
}

/**
 * What a call does when the plugin does not run. When its files changed since they were listed, the sources are listed
 * again and it is tried once more, so that a caller never notices a replaced package.
 */
export async function activateForCall(core: Core, plugin: Plugin): Promise<Generation> {
  try {
    return await activate(core, plugin)
  } catch (error) {
    if (plugin.state.name !== 'failed' || plugin.state.failure.code !== 'SOURCE_CHANGED') throw error
    await core.relist()
    return activate(core, core.plugins.get(plugin.id) ?? plugin)
  }
}

/** Starts a plugin that is not running; all who ask meanwhile wait for the same start. Errors: `PLUGIN_UNAVAILABLE`. */
export function activate(core: Core, plugin: Plugin): Promise<Generation> {
  if (plugin.starting !== undefined) return plugin.starting
  if (core.stopping.aborted) return Promise.reject(kernelErrors.error('KERNEL_STOPPING'))
  const { name } = plugin.state
  const isDue = name === 'failed' && core.clock.now() >= (plugin.troubles?.retryAtMs ?? 0)
  if (!plugin.usable || !(isDue || name === 'idle' || name === 'stopped' || name === 'starting'))
    return Promise.reject(unavailable(plugin))
  const starting = plugin
    .inTurn(async () => {
      if (plugin.serving !== undefined) return plugin.serving
      if (!plugin.usable) throw unavailable(plugin)
      const result = await startNow(core, plugin)
      if (!result.ok) throw unavailable(plugin)
      return result.value
    })
    .finally(() => {
      if (plugin.starting === starting) plugin.starting = undefined
    })
  plugin.starting = starting
  return starting
}

/** Starts the plugin's candidate from nothing; the outcome is in its record. Only within the plugin's turn. */
export async function startNow(core: Core, plugin: Plugin, ending?: Ending): Promise<StageResult<Generation>> {
  plugin.generation += 1
  setState(core, plugin, { name: 'starting', generation: plugin.generation })
  const { candidate } = plugin
  const result = await startWithDependencies(core, plugin, candidate)
  if (!result.ok) {
    const instead = await core.fallBack(plugin, result.failure)
    if (instead === undefined) core.supervisor.startFailed(plugin, result.failure)
    return instead ?? result
  }
  serve(core, plugin, result.value, ending)
  core.resumeTrial(plugin, result.value)
  return { ok: true, value: result.value.generation }
}

/** Starts a generation of `candidate`, what it needs first. */
export async function startWithDependencies(core: Core, plugin: Plugin, candidate: Candidate): Promise<StageResult<Started>> {
  const number = plugin.generation
  try {
    await Promise.all(candidate.needs.map((id) => startDependency(core, candidate, id)))
  } catch (error) {
    return { ok: false, failure: failureOf('start', error) }
  }
  return start(core, plugin, candidate, number)
}

async function startDependency(core: Core, candidate: Candidate, id: string): Promise<void> {
  const dependency = core.plugins.get(id)
  try {
    if (dependency === undefined) throw new Error('it was removed')
    if (dependency.serving === undefined) await activate(core, dependency)
  } catch (error) {
    if (isSpared(candidate, dependency)) return
    const reason = messageOf(error)
    throw kernelErrors.error('DEPENDENCY_FAILED', { plugin: candidate.id, dependency: id, reason }, { plugin: candidate.id })
  }
}

/** Whether a plugin does without another that it would like to have, and that offers nothing it needs. */
function isSpared(candidate: Candidate, dependency: Plugin | undefined): boolean {
  const wished = candidate.manifest?.dependencies.filter((entry) => entry.id === dependency?.id) ?? []
  if (dependency === undefined || wished.length === 0 || wished.some(({ optional }) => optional !== true)) return false
  return !requiredOf(candidate).some(([capability, range]) => offers(dependency.candidate, capability, range))
}

/** Puts a started generation in charge: from here on calls by name reach it. Answers the one it took over from. */
export function serve(core: Core, plugin: Plugin, started: Started, ending?: Ending): Generation | undefined {
  const { generation } = started
  const before = plugin.serving
  plugin.serving = generation
  plugin.standing = started
  noteServing(core, plugin, started, ending)
  plugin.digest = started.digest
  plugin.trust = started.trust
  plugin.grants = started.grants
  plugin.limits = started.limits
  plugin.enforcement = started.enforcement
  plugin.audit = started.audit
  if (before !== undefined || generation.data.length > 0) plugin.epoch += 1
  const { tier, pid } = generation.instance
  setState(core, plugin, { name: 'active', generation: generation.number, tier, pid, startedAtMs: core.clock.now() })
  core.supervisor.serves(generation)
  void generation.instance.exited.then((cause) => core.supervisor.exitedByItself(generation, cause))
  return before
}

/**
 * A generation ended, by itself or because it had to: its calls fail at once with the cause. What becomes of its plugin is
 * decided by how often that happened, unless `verdict` says.
 */
export function exited(core: Core, generation: Generation, given: ExitCause, verdict?: TroubleVerdict): void {
  const { plugin, number } = generation
  if (generation.ended !== undefined) return
  const cause = core.redactor.value(given) as ExitCause
  generation.end(pluginExited(plugin, undefined, cause))
  plugin.lastExit = { generation: number, atMs: core.clock.now(), cause }
  core.events.record({ type: 'plugin.exited', plugin: plugin.id, generation: number, cause })
  core.log.write({ level: 'error', message: `${plugin.id} ended: ${exitText(cause)}`, plugin: plugin.id, generation: number })
  // first, so that whoever calls again when he is told reaches the version before
  if (plugin.probation?.watches(generation) === true) plugin.probation.ended(cause)
  core.inFlight.abort(generation, (call) => pluginExited(plugin, call.route, cause))
  generation.release()
  void core.directories.removeExchange(generation.directories.exchange).catch(() => undefined)
  generation.changed?.()
  if (plugin.serving !== generation) return
  plugin.serving = undefined
  plugin.epoch += 1
  core.supervisor.ended(generation, cause, verdict)
}
