import type { Core } from '../core.ts'
import { comeBack } from './departure.ts'
import { setState, startNow } from './lifecycle.ts'
import { type Candidate, Plugin } from './plugin.ts'
import type { Failure, PluginState } from '../record.ts'
import { isUnfit } from '../stages/resolve.ts'
import { failureOf } from '../stages/stage-result.ts'
import { succeed, type TakeOver } from './take-over.ts'

const discovered: PluginState = Object.freeze({ name: 'discovered' })
const checked: PluginState = Object.freeze({ name: 'checked' })
const resolved: PluginState = Object.freeze({ name: 'resolved' })
const nothing: readonly string[] = Object.freeze([])
const idle: PluginState = Object.freeze({ name: 'idle' })

/** Takes a package in that was not there before. Nothing of it runs. */
export function introduce(core: Core, candidate: Candidate, shadowed: readonly string[]): void {
  const plugin = new Plugin(candidate, core.choices, core)
  plugin.shadowed = shadowed
  plugin.namespace = core.supervisor.namespaces.nameOf(plugin.id)
  plugin.isHeldBack = core.isHeldBack(candidate)
  plugin.off = core.offReason(candidate)
  core.plugins.set(plugin.id, plugin)
  settle(core, plugin, true)
}

/** Brings a plugin that does not run to where its candidate belongs: idle, failed or disabled. */
export function settle(core: Core, plugin: Plugin, isNew = false): void {
  const { candidate } = plugin
  setState(core, plugin, discovered, isNew)
  const { failure } = candidate
  const off = plugin.off ?? candidate.denied
  if (off !== undefined) return setState(core, plugin, { name: 'disabled', reason: off })
  if (failure !== undefined && isUnfit(candidate)) return setState(core, plugin, { name: 'failed', failure })
  setState(core, plugin, checked)
  if (failure !== undefined) return setState(core, plugin, { name: 'failed', failure })
  const waits = core.unapproved(candidate)
  if (waits.length > 0) return setState(core, plugin, blockedOn(candidate, waits))
  setState(core, plugin, resolved)
  try {
    core.points.bind(plugin)
    const quarantine = core.supervisor.quarantines.of(candidate)
    setState(core, plugin, quarantine === undefined ? idle : { name: 'quarantined', failure: quarantine.failure })
  } catch (error) {
    candidate.failure = failureOf('resolve', error)
    setState(core, plugin, { name: 'failed', failure: candidate.failure })
  }
}

function blockedOn({ version }: Candidate, permissions: readonly string[]): PluginState {
  const reason = `version ${version} asks for permissions that nobody approved: ${permissions.join(', ')}`
  return { name: 'blocked', reason, permissions }
}

/** Looks at a plugin again whose surroundings changed: what did not fit may fit now, and the other way round. */
export function reconsider(core: Core, plugin: Plugin): void {
  if (plugin.serving !== undefined || plugin.isBusy || plugin.departure !== undefined) return
  const { state, candidate } = plugin
  const off = plugin.off ?? candidate.denied
  const waits = off === undefined && candidate.failure === undefined ? core.unapproved(candidate) : nothing
  if (off !== undefined ? state.name === 'disabled' : isInPlace(state, candidate.failure, waits)) return
  core.points.unbind(plugin)
  settle(core, plugin)
}

function isEqual(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one, at) => one === others[at])
}

/**
 * Whether a plugin that is not switched off stands where it belongs. One that failed to start stays failed by itself;
 * only failures of the stages before follow the surroundings.
 */
function isInPlace(state: PluginState, failure: Failure | undefined, waits: readonly string[]): boolean {
  if (state.name === 'disabled' || state.name === 'draining') return false
  if (state.name === 'blocked' || waits.length > 0) return state.name === 'blocked' && isEqual(state.permissions, waits)
  const shown = state.name === 'failed' ? state.failure : undefined
  if (failure === undefined) return shown === undefined || shown.stage === 'start'
  return shown?.code === failure.code && shown.message === failure.message
}

/**
 * Puts another package in a plugin's place. While the old one serves, the new one starts beside it and takes over only
 * once it is ready and has kept its promises; when it cannot, the old one goes on and the record says why.
 */
export function replace(core: Core, plugin: Plugin, candidate: Candidate): Promise<void> {
  plugin.incoming = candidate
  return plugin.inTurn(async () => {
    if (plugin.incoming !== candidate) return
    try {
      await replaceNow(core, plugin, candidate)
    } finally {
      if (plugin.incoming === candidate) plugin.incoming = undefined
    }
  })
}

async function replaceNow(core: Core, plugin: Plugin, candidate: Candidate): Promise<void> {
  if (core.plugins.get(plugin.id) !== plugin) {
    introduce(core, candidate, plugin.shadowed)
  } else if (plugin.serving === undefined) {
    if (plugin.isRemoved) comeBack(plugin, core.offReason(candidate))
    core.points.unbind(plugin)
    plugin.candidate = candidate
    plugin.rejected = undefined
    plugin.update = undefined
    plugin.limits = undefined
    core.supervisor.forgive(plugin)
    settle(core, plugin)
  } else {
    await succeed(core, plugin, candidate, waysOf(core, plugin))
  }
}

/** Bytes that serve again because somebody decided so are not watched. */
function waysOf(core: Core, plugin: Plugin): TakeOver {
  const isDecided = core.choices.held(plugin.id)?.why === 'rolled back'
  if (isDecided) return { onProbation: false, ending: { outcome: 'rolled back', reason: 'by hand' } }
  return { onProbation: core.choices.pinned(plugin.id) === undefined, ending: { outcome: 'replaced' } }
}

/** Starts a fresh generation of the bytes there are now, even if nothing changed. */
export function renew(core: Core, plugin: Plugin): Promise<void> {
  return plugin.inTurn(async () => {
    const candidate = { ...plugin.candidate, manifest: plugin.candidate.manifest, staged: undefined }
    if (plugin.serving !== undefined) {
      await succeed(core, plugin, candidate, { onProbation: true, ending: { outcome: 'replaced' } })
      return
    }
    if (!plugin.usable) return
    core.points.unbind(plugin)
    plugin.candidate = candidate
    core.supervisor.forgive(plugin)
    settle(core, plugin)
    if (plugin.usable) await startNow(core, plugin)
  })
}
