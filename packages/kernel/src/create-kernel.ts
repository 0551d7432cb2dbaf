import type { ProviderPoint } from '@backplane/sdk'
import { Catalogue } from './plugins/catalogue.ts'
import { handleOf } from './calls/client.ts'
import { createCore } from './core.ts'
import { emit } from './points/hooks.ts'
import type { PluginAccess } from './admission-port.ts'
import type { HookOutcome, Kernel, KernelOptions } from './kernel.ts'
import { takeLease } from './calls/lease.ts'
import { hostLane } from './calls/named-lane.ts'
import { noVocabulary } from './plugins/permissions.ts'
import { PluginCommands } from './plugins/plugin-commands.ts'
import { Refresher } from './plugins/refresher.ts'
import { shutDown } from './plugins/shut-down.ts'
import { startReport } from './plugins/start-report.ts'

/**
 * Makes a kernel: finds, checks and resolves the plugins of all sources and starts those that do not wait for their first
 * use. What a plugin does wrong is in its record and in {@link Kernel.report}; this rejects only for the host's own
 * mistakes. The kernel disposes the runtimes it was given, and the store only if it made it.
 * Errors: `POINT_INVALID`, `POINT_SCHEMA_ASYNC`, `PERMISSION_NAME_INVALID`.
 */
export async function createKernel(options: KernelOptions): Promise<Kernel> {
  const startedAtMs = performance.now()
  const stopping = new AbortController()
  const core = createCore(options, stopping.signal, () => refresher.relist())
  const catalogue = new Catalogue(core)
  const refresher = new Refresher(core, catalogue)
  let disposing: Promise<void> | undefined
  const dispose = (): Promise<void> => (disposing ??= shutDown(core, { stopping, refresher }))
  const access: PluginAccess = {
    plugins: new PluginCommands(core, { catalogue, refresher }),
    lease: (point, name, callOptions = {}) => takeLease(core, point, name, callOptions),
  }
  try {
    options.admission?.attach?.(access)
    await core.switches.load()
    await core.supervisor.load()
    await core.choices.load()
    await core.trials.load()
    await refresher.refresh()
  } catch (error) {
    await dispose()
    throw error
  }
  const report = startReport(core, performance.now() - startedAtMs)
  if (options.watch ?? options.sources.some((source) => source.watch !== undefined)) refresher.watch()
  return {
    host: core.host,
    points: options.points,
    permissions: options.permissions ?? noVocabulary,
    report,
    events: core.events,
    namespaces: { get: core.supervisor.namespaces.get, list: core.supervisor.namespaces.list },
    provider: <P extends ProviderPoint>(point: P, name: string) => {
      const table = core.points.table(point.id, 'provider')
      return handleOf<P>(core, {
        table,
        name,
        lane: hostLane(core, table, name),
        laneOf: (other) => hostLane(core, table, other),
      })
    },
    contributions: (point) => core.points.contributions(core.points.table(point.id, point.kind)),
    data: (point) => core.points.data(core.points.table(point.id, 'data')),
    emit: async <V, A>(point: { readonly id: string }, value: V, callOptions = {}) =>
      (await emit(core, core.points.table(point.id, 'hook'), value, callOptions)) as HookOutcome<V, A>,
    watch: (point, listener) => core.points.watch(core.points.table(point.id, point.kind), listener),
    ...access,
    [Symbol.asyncDispose]: dispose,
  }
}
