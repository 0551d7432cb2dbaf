import { didYouMean } from '@backplane/sdk'
import type { Catalogue, Switches } from './catalogue.ts'
import type { Core } from './core.ts'
import { kernelErrors } from './errors.ts'
import type { PluginDirectory, RefreshReport } from './kernel.ts'
import type { Plugin } from './plugin.ts'
import type { Store } from './ports.ts'
import { renew, switchOff, withdraw } from './succession.ts'

/** Where the store keeps what the operator switched off. */
const namespace = 'kernel'
const prefix = 'disabled/'

/** Reads which plugins are switched off, and why. */
export async function readSwitches(store: Store): Promise<Switches> {
  const switches: Switches = new Map()
  for (const key of await store.keys(namespace, prefix)) {
    switches.set(key.slice(prefix.length), (await store.get(namespace, key)) ?? 'it was disabled')
  }
  return switches
}

/** What an operator may do with the plugins. */
export function pluginCommands(
  core: Core,
  catalogue: Catalogue,
  switches: Switches,
  refresh: () => Promise<RefreshReport>,
): PluginDirectory {
  const find = (id: string): Plugin => {
    const plugin = lookUp(core, id)
    if (plugin !== undefined) return plugin
    throw kernelErrors.error('PLUGIN_UNKNOWN', { plugin: id, suggestion: didYouMean(id, core.plugins.keys()) }, { plugin: id })
  }
  return {
    list: () => [...core.plugins.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((plugin) => plugin.record()),
    get: (id) => lookUp(core, id)?.record(),
    refresh: async (signal) => {
      signal?.throwIfAborted()
      return refresh()
    },
    reload: async (id) => {
      const plugin = find(id)
      const { generation } = plugin
      plugin.rejected = undefined
      await refresh()
      if (plugin.generation === generation && core.plugins.get(plugin.id) === plugin) await renew(core, plugin)
      return plugin.record()
    },
    enable: async (id) => {
      const plugin = find(id)
      const { denied } = plugin.candidate
      if (denied !== undefined)
        throw kernelErrors.error('POLICY_DENIED', { plugin: plugin.id, reason: denied }, { plugin: plugin.id })
      if (switches.delete(plugin.id)) {
        await core.store.delete(namespace, prefix + plugin.id)
        plugin.off = undefined
        await plugin.quiet()
        await catalogue.review()
      }
      return plugin.record()
    },
    disable: async (id, reason = 'it was disabled') => {
      const plugin = find(id)
      switches.set(plugin.id, reason)
      await core.store.set(namespace, prefix + plugin.id, reason)
      await switchOff(core, plugin, reason)
      await catalogue.review()
      return plugin.record()
    },
    remove: async (id, { keepState = false } = {}) => {
      const plugin = find(id)
      catalogue.forget(plugin)
      await withdraw(core, plugin, 'it was removed')
      await catalogue.review()
      if (keepState) return
      switches.delete(plugin.id)
      await core.store.delete(namespace, prefix + plugin.id)
      await core.store.clear(`plugin/${plugin.id}`)
      await core.directories.forget(plugin.id)
    },
    start: async (id) => {
      const plugin = find(id)
      plugin.retryAtMs = 0
      if (plugin.serving === undefined) await Promise.allSettled([core.activate(plugin)])
      return plugin.record()
    },
  }
}

/** By id, or by the part after the slash when only one plugin has it. Errors: `PLUGIN_AMBIGUOUS`. */
function lookUp(core: Core, id: string): Plugin | undefined {
  const exact = core.plugins.get(id)
  if (exact !== undefined || id.includes('/')) return exact
  const candidates = [...core.plugins.keys()].filter((known) => known.endsWith(`/${id}`))
  if (candidates.length > 1) throw kernelErrors.error('PLUGIN_AMBIGUOUS', { name: id, candidates: candidates.sort().join(', ') })
  return core.plugins.get(candidates[0] ?? '')
}
