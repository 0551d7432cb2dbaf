import type { Core } from '../core.ts'
import { quiesce } from './departure.ts'
import { setState } from './lifecycle.ts'
import type { Plugin } from './plugin.ts'
import { runtimeSlackMs, within } from '../stages/stop.ts'
import type { Refresher } from './refresher.ts'

/**
 * Stops everything: new calls are refused, running ones may end within the drain time, plugins stop before what they
 * need. Then what the kernel made or was handed for its own use is disposed. Never rejects.
 */
export async function shutDown(
  core: Core,
  { stopping, refresher }: { readonly stopping: AbortController; readonly refresher: Refresher },
): Promise<void> {
  core.events.record({ type: 'kernel.stopping' })
  stopping.abort(new DOMException('the host is stopping', 'AbortError'))
  await refresher[Symbol.asyncDispose]()
  const stops = new Map<Plugin, Promise<void>>()
  const dependents = dependentsOf(core)
  const stopPlugin = (plugin: Plugin): Promise<void> => {
    const known = stops.get(plugin)
    if (known !== undefined) return known
    const stop = Promise.all((dependents.get(plugin.id) ?? []).map(stopPlugin)).then(() => stopOne(core, plugin))
    stops.set(plugin, stop)
    return stop
  }
  await Promise.allSettled([...core.plugins.values()].filter(isRunning).map(stopPlugin))
  const limitMs = core.times.stopMs + runtimeSlackMs
  await Promise.allSettled(core.options.runtimes.map((runtime) => within(core, limitMs, runtime[Symbol.asyncDispose]())))
  await core.stagedBytes.releaseAll(core)
  await Promise.all([core.history.settled(), core.states.settled(), core.uses.settled()])
  core.inFlight[Symbol.dispose]()
  core.supervisor[Symbol.dispose]()
  if (core.options.store === undefined) await core.store[Symbol.asyncDispose]()
  await core.directories[Symbol.asyncDispose]().catch(() => undefined)
}

function isRunning(plugin: Plugin): boolean {
  return plugin.serving !== undefined || plugin.draining.length > 0 || plugin.isBusy
}

function dependentsOf(core: Core): ReadonlyMap<string, readonly Plugin[]> {
  const dependents = new Map<string, Plugin[]>()
  for (const plugin of core.plugins.values()) {
    if (!isRunning(plugin)) continue
    for (const id of plugin.candidate.needs) dependents.set(id, [...(dependents.get(id) ?? []), plugin])
  }
  return dependents
}

async function stopOne(core: Core, plugin: Plugin): Promise<void> {
  const reason = 'the host is stopping'
  const { gone } = await plugin.inTurn(async () => ({ gone: quiesce(core, plugin, reason) }))
  await gone
  if (plugin.state.name === 'draining') setState(core, plugin, { name: 'stopped', reason })
}
