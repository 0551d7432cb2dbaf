import type { HostLink, StartRequest } from '@backplane/kernel'
import type { DataPoint, HookHandler, HookPoint, ProviderPoint, Provided, Scope, State } from '@backplane/sdk'
import type { Cleanup } from './cleanups.ts'
import type { GuestLife } from './guest-life.ts'
import type { ContributionTable, PluginFunction, PluginObject } from './contribution-table.ts'
import { pluginLog } from './plugin-log.ts'
import { outwardContext, pointClient, type OutwardCalls } from './point-client.ts'

/** What a scope is made of beside the request. */
export interface ScopeParts {
  readonly host: HostLink
  readonly table: ContributionTable
  readonly cleanups: Cleanup[]
  readonly life: GuestLife
  /** Aborted when the plugin is told to stop. */
  readonly stopping: AbortSignal
}

/** The part of a {@link StartRequest} that reaches the plugin's side. */
export type GuestRequest = Pick<StartRequest, 'plugin' | 'host' | 'code' | 'config' | 'directories' | 'declared' | 'migrate'>

/** Builds what `setup` is given. */
export function pluginScope(request: GuestRequest, { host, table, cleanups, life, stopping }: ScopeParts): Scope {
  const outward: OutwardCalls = { host, caller: request.plugin.id, stopping }
  return Object.freeze({
    plugin: Object.freeze({ ...request.plugin }),
    host: Object.freeze({ ...request.host }),
    config: deepFreeze(structuredClone(request.config)),
    directories: Object.freeze({ ...request.directories }),
    signal: stopping,
    ...life.scope,
    log: pluginLog(host),
    secrets: Object.freeze({ get: (name: string) => host.secret(name) }),
    state: pluginState(host),
    on: <P extends HookPoint>(point: P, name: string, handler: HookHandler<P>): void =>
      table.addHook(point, name, handler as PluginFunction),
    provide: <P extends ProviderPoint>(point: P, name: string, provided: Provided<P>): void =>
      table.addProvider(point, name, provided as PluginObject),
    contribute: <V>(point: DataPoint<V>, name: string, value: V): void => table.addData(point, name, value),
    use: <P extends ProviderPoint>(point: P, name: string) => pointClient(point, name, outward),
    emit: <V, A>(point: HookPoint<V, A>, value: V, options = {}) => host.emit(point.id, value, outwardContext(outward, options)),
    defer: (cleanup: Cleanup): void => void cleanups.push(cleanup),
  })
}

/** The plugin's key-value store as it sees it. */
export function pluginState(host: HostLink): State {
  return Object.freeze({ ...host.state, keys: (prefix = '') => host.state.keys(prefix) })
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
