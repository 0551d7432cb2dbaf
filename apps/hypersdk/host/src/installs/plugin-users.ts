import type { PluginUsers } from '@backplane/server'
import { provider } from '@hypersdk/points'
import type { HostConfig } from '../config/host-config.ts'

/** What of the daemon uses a plugin: instances that the configuration names, and exports that run. */
export function pluginUsers(config: Pick<HostConfig, 'providers'>, running: () => readonly string[]): PluginUsers {
  return ({ id, manifest }) => {
    const types = Object.keys(manifest?.contributes[provider.id] ?? {})
    const instances = [...config.providers].filter(([, { type }]) => types.includes(type)).map(([name]) => `provider ${name}`)
    const exports = running().filter((plugin) => plugin === id).length
    return [...instances, ...(exports === 0 ? [] : [`${exports} running ${exports === 1 ? 'export' : 'exports'}`])]
  }
}
