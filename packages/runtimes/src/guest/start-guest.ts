import type { Contribution, HostLink, Invoker } from '@backplane/kernel'
import type { PluginModule } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'
import { runCleanups, type Cleanup } from './cleanups.ts'
import { ContributionTable } from './contribution-table.ts'
import { GuestLife } from './guest-life.ts'
import { loadPlugin } from './load-plugin.ts'
import { PluginCalls } from './plugin-calls.ts'
import { abortReason, pluginError } from './plugin-error.ts'
import { pluginLog } from './plugin-log.ts'
import { pluginScope, pluginState, type GuestRequest } from './plugin-scope.ts'

/** A plugin that is set up, seen from its own side of the boundary; the same in every tier. */
export interface Guest {
  readonly contributions: readonly Contribution[]
  readonly invoker: Invoker
  readonly life: GuestLife
  /** Aborts the scope's signal and undoes everything, last registered first. Idempotent, never rejects. */
  readonly stop: (graceMs: number) => Promise<void>
}

/** How long a setup that failed may take to clean up after itself, ms. */
const failedSetupGraceMs = 1_000

/**
 * Loads a plugin and runs its setup. Aborting `signal` gives up: the scope's signal is aborted and what was deferred so
 * far is run, then the signal's reason is thrown.
 * Errors: `RUNTIME_LOAD_FAILED`, `RUNTIME_SETUP_FAILED`, `POINT_UNDECLARED`, `POINT_REGISTERED_TWICE`.
 */
export async function startGuest(request: GuestRequest, host: HostLink, signal: AbortSignal): Promise<Guest> {
  const plugin = request.plugin.id
  const stopping = new AbortController()
  const cleanups: Cleanup[] = []
  const life = new GuestLife(plugin)
  const table = new ContributionTable(plugin, request.declared)
  const calls = new PluginCalls(plugin, table, { host, stopping: stopping.signal })

  const end = async (graceMs: number): Promise<void> => {
    table.close()
    stopping.abort(new DOMException(`${plugin} is stopping`, 'AbortError'))
    // Registered first, undone last: an instance may need what setup made.
    const failures = await runCleanups([...cleanups.splice(0), ...calls.takeOpenInstances()], graceMs)
    for (const failure of failures) {
      host.log({ level: 'warn', message: `cleanup failed: ${failure.message}`, fields: { error: pluginError(failure).toJSON() } })
    }
  }

  try {
    const module = await untilAborted(loadPlugin(request.code, plugin), signal)
    if (request.migrate !== undefined) await untilAborted(migrate(module, request, host, signal), signal)
    const scope = pluginScope(request, { host, table, cleanups, life, stopping: stopping.signal })
    await untilAborted(setUp(module.setup, scope), signal)
    table.close()
    life.close()
  } catch (error) {
    await end(failedSetupGraceMs)
    throw setupError(error, plugin, signal)
  }
  let ended: Promise<void> | undefined
  return { contributions: table.list, invoker: calls, life, stop: (graceMs) => (ended ??= end(graceMs)) }
}

/** Errors: `RUNTIME_MIGRATE_FAILED`, also for a plugin that has no `migrate`. */
async function migrate(module: PluginModule, request: GuestRequest, host: HostLink, signal: AbortSignal): Promise<void> {
  const { plugin, directories, migrate: versions } = request
  if (versions === undefined) return
  const failed = (reason: string, cause?: unknown): Error =>
    runtimeErrors.error('RUNTIME_MIGRATE_FAILED', { plugin: plugin.id, ...versions, reason }, { plugin: plugin.id, cause })
  if (module.migrate === undefined) throw failed('it has no migrate function')
  try {
    await module.migrate({ ...versions, state: pluginState(host), directories, log: pluginLog(host), signal })
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error), error)
  }
}

async function setUp<S>(setup: (scope: S) => unknown, scope: S): Promise<void> {
  await setup(scope)
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(abortReason(signal))
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort))
}

/** Errors of the scope's own and of loading say all there is to say; anything else is a setup that failed. */
function setupError(error: unknown, plugin: string, signal: AbortSignal): unknown {
  if (signal.aborted && error === signal.reason) return error
  const known = pluginError(error)
  if (Object.hasOwn(runtimeErrors.specs, known.code)) return known
  return runtimeErrors.error('RUNTIME_SETUP_FAILED', { plugin, reason: known.message }, { plugin, cause: known })
}
