import { PlatformError } from '@backplane/sdk'
import { checkConfig } from '../config-check.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { Generation } from '../generation.ts'
import { linkHost } from '../host-link.ts'
import type { PluginSettings } from '../kernel.ts'
import { grantsOf } from '../permissions.ts'
import type { Candidate, Plugin } from '../plugin.ts'
import { chooseTier, weighEnforcement } from '../policy.ts'
import type {
  AcceptedManifest,
  Enforcement,
  Grants,
  HostLink,
  Instance,
  Limits,
  Runtime,
  StagedPackage,
  StartRequest,
} from '../ports.ts'
import { resolveSettings } from '../settings.ts'
import { asError, messageOf } from '../thrown.ts'
import { checkContract } from './contract.ts'
import { failureOf, type StageResult } from './stage-result.ts'

/** A started generation, and what was decided on the way for the record. */
export interface Started {
  readonly generation: Generation
  readonly digest: string
  readonly grants: Grants
  readonly limits: Limits
  readonly enforcement: readonly Enforcement[]
}

/**
 * Starts one generation of one plugin: bytes, settings, grants, tier, what the tier can enforce, the code itself, and
 * whether it registered what it declares. On failure nothing is left running.
 */
export async function start(core: Core, plugin: Plugin, candidate: Candidate, number: number): Promise<StageResult<Started>> {
  try {
    return { ok: true, value: await startGeneration(core, plugin, candidate, number) }
  } catch (error) {
    return { ok: false, failure: failureOf('start', error) }
  }
}

async function startGeneration(core: Core, plugin: Plugin, candidate: Candidate, number: number): Promise<Started> {
  const { manifest } = candidate
  if (manifest === undefined) throw new TypeError(`${candidate.id} has no accepted manifest`)
  const staged = candidate.staged ?? (await orAborted(candidate.found.stage(core.stopping), core.stopping))
  const settings = core.settingsOf(candidate)
  const from = settings.from ?? `settings of ${plugin.id}`
  const filled = await resolveSettings(settings.config, { env: core.options.env ?? process.env, from, plugin: plugin.id })
  const config = await checkConfig(plugin.id, manifest.config, filled, from)
  const limits = core.limitsOf(candidate)
  const own = await core.directories.create(plugin.id, number)
  const grants = grantsOf({
    plugin: plugin.id,
    permissions: manifest.permissions,
    variables: { ...settings.variables, config },
    dataDirectory: own.data,
    added: settings.grants,
  })
  const { runtime, enforcement } = chooseRuntime(core, { candidate, manifest, settings, staged, grants, limits })
  const directories = { ...own, code: staged.code.kind === 'files' ? staged.code.directory : candidate.found.path }
  const request: StartRequest = {
    plugin: { id: plugin.id, version: candidate.version, generation: number },
    host: core.host,
    code: staged.code,
    config,
    grants,
    limits,
    directories,
    declared: Object.fromEntries(Object.entries(manifest.contributes).map(([point, names]) => [point, Object.keys(names)])),
    readyMs: core.times.readyMs,
  }
  const linked = linkHost(core, plugin, candidate, { generation: number, stateBytes: limits.stateBytes })
  try {
    const instance = await core.starts.run(() => launch(core, runtime, request, linked.link))
    try {
      const data = checkContract(plugin.id, manifest, instance.contributions, core.points)
      const generation = new Generation({
        plugin,
        number,
        candidate,
        instance,
        limits,
        directories,
        data,
        release: linked.release,
      })
      candidate.staged = staged
      return { generation, digest: staged.digest, grants, limits, enforcement }
    } catch (error) {
      await instance.stop(core.times.stopMs)
      throw error
    }
  } catch (error) {
    linked.release()
    await core.directories.removeExchange(own.exchange)
    throw error instanceof PlatformError
      ? error
      : kernelErrors.error(
          'PLUGIN_START_FAILED',
          { plugin: plugin.id, reason: messageOf(error) },
          { plugin: plugin.id, cause: error },
        )
  }
}

interface RuntimeChoice {
  readonly candidate: Candidate
  readonly manifest: AcceptedManifest
  readonly settings: PluginSettings
  readonly staged: StagedPackage
  readonly grants: Grants
  readonly limits: Limits
}

function chooseRuntime(
  core: Core,
  choice: RuntimeChoice,
): { readonly runtime: Runtime; readonly enforcement: readonly Enforcement[] } {
  const { candidate, manifest, settings, staged, grants, limits } = choice
  const { id } = candidate
  const { origin } = candidate.source
  const { runtimes } = core.options
  const available = runtimes.map(({ tier }) => tier)
  const chosen = chooseTier({ id, origin, settings: settings.tier, policy: core.policy, accepted: manifest.runtime, available })
  const { tier } = chosen
  const refuse = (reason: string): Error =>
    kernelErrors.error('POLICY_TIER_UNAVAILABLE', { plugin: id, tier, reason }, { plugin: id })
  if (!chosen.ok) throw refuse(chosen.reason)
  if (staged.code.kind === 'module' && tier !== 'trusted') throw refuse('its module is in memory and runs only as trusted')
  const runtime = runtimes.find((candidateRuntime) => candidateRuntime.tier === tier)
  if (runtime === undefined) throw refuse('this host has no runtime for it')
  const waived = core.policy.waive?.({ id, origin, tier }) ?? []
  const { enforcement, missing } = weighEnforcement(runtime.enforces(grants, limits), tier, waived)
  const [first] = missing
  if (first !== undefined) {
    const parameters = { plugin: id, tier, what: first.what, mechanism: first.mechanism }
    throw kernelErrors.error('POLICY_UNENFORCEABLE', parameters, { plugin: id, details: { missing } })
  }
  return { runtime, enforcement }
}

/** A runtime that does not keep the deadline is not waited for; what it starts too late is stopped. */
async function launch(core: Core, runtime: Runtime, request: StartRequest, link: HostLink): Promise<Instance> {
  const deadline = new AbortController()
  const { readyMs, plugin } = request
  const parameters = { plugin: plugin.id, readyMs }
  using _timer = core.clock.after(readyMs, () =>
    deadline.abort(kernelErrors.error('PLUGIN_NOT_READY', parameters, { plugin: plugin.id })),
  )
  const signal = AbortSignal.any([deadline.signal, core.stopping])
  signal.throwIfAborted()
  return await orAborted(runtime.start(request, link, signal), signal, (late) => void late.stop(0))
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal, late?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      reject(asError(signal.reason))
      if (late !== undefined) work.then(late, () => undefined)
    }
    signal.addEventListener('abort', aborted, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
