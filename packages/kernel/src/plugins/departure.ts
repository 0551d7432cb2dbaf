import type { Core } from '../core.ts'
import { setState } from './lifecycle.ts'
import type { Plugin } from './plugin.ts'
import { retire } from '../upgrade.ts'

/** Refuses new calls at once, lets running ones end, stops the plugin and forgets it. Answers false when it came back meanwhile. */
export function withdraw(core: Core, plugin: Plugin, reason: string): Promise<boolean> {
  plugin.isRemoved = true
  return leave(core, plugin, reason, () => {
    setState(core, plugin, { name: 'stopped', reason })
    core.plugins.delete(plugin.id)
    core.points.forget(plugin, reason)
    core.events.record({ type: 'plugin.removed', plugin: plugin.id, version: plugin.candidate.version })
  })
}

/** The same, but keeps the plugin, switched off. */
export function switchOff(core: Core, plugin: Plugin, reason: string): Promise<boolean> {
  return leave(core, plugin, reason, () => setState(core, plugin, { name: 'disabled', reason }))
}

/** Takes back what {@link withdraw} and {@link switchOff} began: the plugin is wanted again before it was gone. */
export function comeBack(plugin: Plugin, off: string | undefined): void {
  plugin.off = off
  plugin.isRemoved = false
  plugin.departure = undefined
}

/**
 * The draining itself is outside the plugin's turn, so that a plugin with a running job can come back meanwhile; the
 * newest departure is the one that ends it.
 */
async function leave(core: Core, plugin: Plugin, reason: string, end: () => void): Promise<boolean> {
  const departure = Symbol(reason)
  plugin.off = reason
  plugin.departure = departure
  core.points.unbind(plugin)
  const isCurrent = (): boolean => plugin.departure === departure && core.plugins.get(plugin.id) === plugin
  const { gone } = await plugin.inTurn(async () => {
    if (!isCurrent()) return { gone: undefined }
    // an update that took over before its turn came has made its names reachable again
    core.points.unbind(plugin)
    return { gone: quiesce(core, plugin, reason) }
  })
  await gone
  if (!isCurrent()) return false
  plugin.departure = undefined
  end()
  return true
}

/** Takes what serves out of service, for its calls by name at once. Settles when nothing of the plugin runs any more. */
export async function quiesce(core: Core, plugin: Plugin, reason: string): Promise<void> {
  const { serving, probation } = plugin
  plugin.serving = undefined
  plugin.usage = undefined
  plugin.health = undefined
  plugin.probation = undefined
  probation?.[Symbol.dispose]()
  if (serving !== undefined) {
    plugin.epoch += 1
    setState(core, plugin, { name: 'draining', generation: serving.number, reason, calls: serving.calls })
    core.inBackground(plugin, retire(core, serving, reason))
  }
  await Promise.all([probation?.older.started?.generation.gone, ...plugin.draining.map(async (generation) => generation.gone)])
}
