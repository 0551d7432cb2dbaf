import type { Tier } from '@backplane/sdk'
import { boundedWait } from '../calls/bounded-wait.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { Generation } from '../plugins/generation.ts'
import { linkHost } from '../calls/host-link.ts'
import type { Candidate, Plugin } from '../plugins/plugin.ts'
import { pluginState } from '../plugins/plugin-state.ts'
import type { StatePlace } from '../plugins/plugin-states.ts'
import type { AcceptedManifest, Enforcement, Grants, HostLink, Instance, Limits, PluginTrust, StagedPackage } from '../ports.ts'
import type { AuditMode } from '../permission-use.ts'
import type { Failure } from '../record.ts'
import { stateVersionOf } from '../plugins/rejection.ts'
import { messageOf } from '../calls/thrown.ts'
import { admit } from './admission.ts'
import { checkContract } from './contract.ts'
import { failureOf, type StageResult } from './stage-result.ts'
import { planStart, type StartPlan } from './start-plan.ts'
import { runtimeSlackMs, within } from './stop.ts'

/** Tiers in which code cannot end the host. */
const endAlone: ReadonlySet<Tier> = new Set(['confined', 'foreign', 'wasm'])

/** A started generation, and what was decided on the way for the record. */
export interface Started {
  readonly generation: Generation
  /** Where it keeps its state. */
  readonly place: StatePlace
  readonly digest: string
  readonly trust: PluginTrust | undefined
  readonly grants: Grants
  /** What was kept from it when it was started. */
  readonly withheld: readonly string[]
  readonly limits: Limits
  readonly audit: AuditMode | undefined
  readonly enforcement: readonly Enforcement[]
}

/**
 * Starts one generation of one plugin: bytes, settings, grants, tier, what the tier can enforce, the code itself, and
 * whether it registered what it declares. On failure nothing is left running.
 */
export async function start(core: Core, plugin: Plugin, candidate: Candidate, number: number): Promise<StageResult<Started>> {
  let staged: StagedPackage | undefined
  let place: StatePlace | undefined
  try {
    staged = await bytesOf(core, candidate)
    const manifest = manifestOf(candidate)
    const trust = await admit(core, candidate, { manifest, staged })
    place = await core.states.prepare(plugin.id, stateVersionOf(candidate))
    const plan = await planStart(core, candidate, { manifest, staged }, { number, place })
    const generation = await startGeneration(core, plugin, { candidate, plan, place })
    candidate.staged = staged
    core.stagedBytes.hold(core, generation)
    const { grants, withheld, limits, audit, enforcement } = plan
    const { digest } = staged
    return { ok: true, value: { generation, place, digest, trust, grants, withheld, limits, audit, enforcement } }
  } catch (error) {
    await place?.discard()
    if (candidate.staged === undefined) await staged?.release?.()
    const failure = failureOf('start', coded(plugin.id, error))
    return { ok: false, failure: core.redactor.value(failure) as Failure }
  }
}

/** The bytes it was started from before, where they are still the same; else staged anew. */
async function bytesOf({ stopping: signal }: Core, candidate: Candidate): Promise<StagedPackage> {
  const kept = candidate.staged
  if (kept !== undefined && (kept.isWhole === undefined || (await boundedWait(kept.isWhole(signal), { signal })))) return kept
  candidate.staged = undefined
  await kept?.release?.()
  return boundedWait(candidate.found.stage(signal), { signal })
}

function manifestOf({ id, manifest }: Candidate): AcceptedManifest {
  if (manifest === undefined) throw new TypeError(`${id} has no accepted manifest`)
  return manifest
}

/** The platform's own errors say what to do; anything else becomes the reason of one. */
function coded(plugin: string, error: unknown): unknown {
  if (error instanceof Error && error.name === 'PlatformError') return error
  return kernelErrors.error('PLUGIN_START_FAILED', { plugin, reason: messageOf(error) }, { plugin, cause: error })
}

interface Starting {
  readonly candidate: Candidate
  readonly plan: StartPlan
  readonly place: StatePlace
}

/** Where nothing serves beside it, what it stores is the plugin's from here on. */
async function startGeneration(core: Core, plugin: Plugin, { candidate, plan, place }: Starting): Promise<Generation> {
  const { manifest, limits, directories, request } = plan
  const number = request.plugin.generation
  plugin.launched = number
  const uses = await core.uses.tally(plugin.id, candidate.version, plan.covered)
  const caller = { ...request.plugin, may: plan.grants.host, uses }
  const linked = linkHost(core, candidate, caller, pluginState(core.store, place.slot, limits.stateBytes))
  place.slot.users += 1
  const release = once(() => {
    linked.release()
    place.slot.release()
  })
  let instance: Instance | undefined
  try {
    await core.directories.create(plugin.id, directories)
    const launching = (): Promise<Instance> => core.starts.run(() => launch(core, plan, linked.link))
    // what runs in the host's own process can end it
    const endsAlone = endAlone.has(plan.runtime.tier)
    instance = await (endsAlone ? launching() : core.supervisor.suspecting(candidate, launching))
    const data = checkContract(plugin.id, manifest, instance.contributions, core.points)
    uses.watches(['host', ...(instance.tellsUse ?? [])])
    for (const permission of core.points.taken(Object.keys(manifest.contributes), 'data')) uses.host(permission)
    if (plugin.serving === undefined) {
      await place.commit()
      place.taken()
    }
    return new Generation({
      plugin,
      number,
      candidate,
      instance,
      limits,
      directories,
      data,
      release,
      lastLines: linked.lastLines,
      uses,
    })
  } catch (error) {
    // a tier that cannot stop it changes nothing about why it has to
    const { stopMs } = core.times
    if (instance !== undefined) await within(core, stopMs + runtimeSlackMs, instance.stop(stopMs)).catch(() => undefined)
    release()
    await core.directories.removeExchange(directories.exchange)
    throw error
  }
}

function once(run: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    run()
  }
}

/** A runtime that does not keep the deadline is not waited for; what it starts too late is stopped. */
async function launch(core: Core, { runtime, request }: StartPlan, link: HostLink): Promise<Instance> {
  const over = new AbortController()
  const { readyMs, plugin } = request
  const error = (): Error => kernelErrors.error('PLUGIN_NOT_READY', { plugin: plugin.id, readyMs }, { plugin: plugin.id })
  const signal = AbortSignal.any([over.signal, core.stopping])
  signal.throwIfAborted()
  const starting = runtime.start(request, link, signal)
  try {
    return await boundedWait(starting, { signal: core.stopping, deadline: { clock: core.clock, ms: readyMs, error } })
  } catch (reason) {
    over.abort(reason)
    starting.then((late) => late.stop(0)).catch(() => undefined)
    throw reason
  }
}
