import { join } from 'node:path'
import type { Source } from '@backplane/kernel'
import { bundled, directory, installed, type InstalledSource } from '@backplane/sources'
import { provider } from '@hypersdk/points'
import type { HostConfig } from '../config/host-config.ts'
import { seedDialect } from '../seed-dialect/seed-dialect.ts'
import { bundledIgnore, bundledPluginFolders } from './bundled-plugins.ts'

/** Longer than the pauses of a copy over a network, and a package is still listed well within two seconds. */
const settleMs = 500
/** For listing what is there without running anything. */
const listMs = 10_000

/**
 * Where plugins come from, in order of precedence: what ships with the host, what is installed, what lies in folders. `index`
 * is a file that remembers manifests; without it nothing is written until one starts.
 */
export function pluginSources(
  config: HostConfig,
  options: { readonly index?: string; readonly settleMs?: number } = {},
  fromLock?: Source,
): Source[] {
  const store = join(config.dataDirectory, 'packages')
  const own = bundled(bundledPluginFolders(), { store, ignore: bundledIgnore })
  if (!config.plugins.external) return [own]
  const { directories, hotReload } = config.plugins
  const approved = fromLock === undefined ? [] : [fromLock]
  return [own, ...approved, directory(directories, { store, watch: hotReload, settleMs, dialects: [seedDialect()], ...options })]
}

/** What is installed: what the lock names, in the store of the data directory. */
export function installedPlugins({ plugins, dataDirectory }: HostConfig): InstalledSource {
  return installed({ lock: plugins.lock, store: join(dataDirectory, 'installed') })
}

/** What there is by the manifests alone: ids of plugins, and the provider types they say they provide. */
export interface ListedPlugins {
  readonly ids: readonly string[]
  readonly types: readonly string[]
}

/** Reads manifests and runs nothing. Errors: those of a lock that cannot be read. */
export async function listedPlugins(config: HostConfig): Promise<ListedPlugins> {
  const sources = pluginSources(config, { settleMs: 1 }, installedPlugins(config))
  const listings = await Promise.all(sources.map((source) => source.list(AbortSignal.timeout(listMs))))
  const manifests = listings.flatMap(({ packages }) => packages.map(({ manifest }) => manifest))
  const ids = manifests.map((manifest) => member(manifest, 'id')).filter((id) => typeof id === 'string')
  const types = manifests.flatMap((manifest) => Object.keys(Object(member(member(manifest, 'contributes'), provider.id))))
  return { ids, types }
}

function member(value: unknown, key: string): unknown {
  return Reflect.get(Object(value), key)
}
