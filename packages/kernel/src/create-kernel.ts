import type { ProviderPoint } from '@backplane/sdk'
import type { ActiveCall } from './active-call.ts'
import { callFailed } from './call-error.ts'
import { Catalogue } from './catalogue.ts'
import { handleOf } from './client.ts'
import type { Core } from './core.ts'
import { type CallEnds, Dispatcher } from './dispatcher.ts'
import { createEventLog } from './event-log.ts'
import { emit } from './hooks.ts'
import { InFlight } from './in-flight.ts'
import type { HookOutcome, Kernel, KernelOptions, PluginSettings, StartReport } from './kernel.ts'
import { takeLease } from './lease.ts'
import { activate } from './lifecycle.ts'
import { defaultTimes, effectiveLimits } from './limits.ts'
import { memoryStore } from './memory-store.ts'
import { namedLane } from './named-lane.ts'
import { type Candidate, unavailableReason } from './plugin.ts'
import { pluginCommands, readSwitches } from './plugin-commands.ts'
import { PluginDirectories } from './plugin-directories.ts'
import { Points } from './points.ts'
import type { Limits } from './ports.ts'
import { Redactor } from './redactor.ts'
import { Refresher } from './refresher.ts'
import { Semaphore } from './semaphore.ts'
import { shutDown } from './shut-down.ts'
import { systemClock } from './system-clock.ts'

/** Plugins being started at the same time. */
const startsAtOnce = 8

/**
 * Makes a kernel: finds, checks and resolves the plugins of all sources and starts those that do not wait for their first
 * use. What a plugin does wrong is in its record and in {@link Kernel.report}; this rejects only for the host's own
 * mistakes: `POINT_INVALID`, `POINT_SCHEMA_ASYNC`. Disposes the runtimes it was given, and the store only if it made it.
 */
export async function createKernel(options: KernelOptions): Promise<Kernel> {
  const stopping = new AbortController()
  const core = createCore(options, stopping.signal)
  const startedAtMs = performance.now()
  const switches = await readSwitches(core)
  const catalogue = new Catalogue(core, switches)
  const refresher = new Refresher(core, catalogue)
  await refresher.refresh()
  const report = reportOf(core, performance.now() - startedAtMs)
  const failed = report.plugins.filter(({ state }) => state === 'failed').length
  core.events.record({ type: 'kernel.started', plugins: report.plugins.length, failed, tookMs: report.tookMs })
  if (options.watch ?? options.sources.some((source) => source.watch !== undefined)) refresher.watch()
  let disposing: Promise<void> | undefined
  return {
    host: core.host,
    points: options.points,
    report,
    plugins: pluginCommands(core, catalogue, switches, () => refresher.refresh()),
    events: core.events,
    provider: <P extends ProviderPoint>(point: P, name: string) => {
      const table = core.points.table(point.id, 'provider')
      return handleOf<P>(core, { table, name, lane: namedLane(core, table, name) })
    },
    contributions: (point) => core.points.contributions(core.points.table(point.id, point.kind)),
    data: (point) => core.points.data(core.points.table(point.id, 'data')),
    emit: async <V, A>(point: { readonly id: string }, value: V, callOptions = {}) =>
      (await emit(core, core.points.table(point.id, 'hook'), value, callOptions)) as HookOutcome<V, A>,
    watch: (point, listener) => core.points.watch(core.points.table(point.id, point.kind), listener),
    lease: (point, name, callOptions = {}) => takeLease(core, point, name, callOptions),
    [Symbol.asyncDispose]: () => (disposing ??= shutDown(core, { stopping, refresher })),
  }
}

function createCore(options: KernelOptions, stopping: AbortSignal): Core {
  const clock = options.clock ?? systemClock
  const log = options.log ?? { write: () => undefined }
  const events = createEventLog(clock, log)
  const inFlight = new InFlight(clock, log)
  const settingsOf = ({ id, manifest }: Candidate): PluginSettings => {
    return (manifest === undefined ? undefined : options.settings?.(id, manifest)) ?? noSettings
  }
  const limitsOf = (candidate: Candidate): Limits =>
    effectiveLimits(candidate.manifest?.limits, options.limits ?? {}, settingsOf(candidate).limits)
  const ends: CallEnds = { inFlight, failed: (call, thrown) => endFailed(core, call, thrown) }
  const core: Core = {
    host: options.host,
    options,
    policy: options.policy ?? {},
    times: { ...defaultTimes, ...options.times },
    clock,
    log,
    store: options.store ?? memoryStore(),
    events,
    plugins: new Map(),
    points: new Points(options.points),
    inFlight,
    dispatcher: new Dispatcher({
      ...ends,
      limitsOf: (plugin) => (plugin.limits ??= limitsOf(plugin.candidate)),
      refused: (plugin, route, error) => refused(core, plugin.id, { point: route.point, method: route.method }, error),
    }),
    directories: new PluginDirectories(options.dataDirectory),
    redactor: new Redactor(),
    starts: new Semaphore(startsAtOnce),
    stopping,
    settingsOf,
    limitsOf,
    criticalityOf: (candidate) => settingsOf(candidate).criticality ?? candidate.manifest?.criticality ?? 'optional',
    activate: (plugin) => activate(core, plugin),
  }
  return core
}

const noSettings: PluginSettings = Object.freeze({})

function endFailed(_core: Core, call: ActiveCall, thrown: unknown): void {
  if (!call.settled) call.abort(callFailed(call.plugin, call.route, call.target, thrown))
}

function refused(
  core: Core,
  plugin: string,
  { point, method }: { readonly point: string; readonly method: string },
  error: Error,
): void {
  const code: unknown = Reflect.get(error, 'code')
  core.events.record({ type: 'call.refused', plugin, point, method, code: typeof code === 'string' ? code : error.name })
}

function reportOf(core: Core, tookMs: number): StartReport {
  let ok = true
  const plugins = [...core.plugins.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, candidate, state }) => {
      if (state.name === 'failed' && core.criticalityOf(candidate) === 'required') ok = false
      const reason = unavailableReason(state)
      return { id, version: candidate.version, state: state.name, ...(reason === undefined ? {} : { reason }) }
    })
  return { ok, tookMs, plugins }
}
