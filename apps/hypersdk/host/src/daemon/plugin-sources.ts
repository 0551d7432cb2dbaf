import { join } from 'node:path'
import type { Source } from '@backplane/kernel'
import { bundled, directory, installed, type InstalledSource } from '@backplane/sources'
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

/** Ids of the plugins there are, by their manifests alone. Errors: those of a lock that cannot be read. */
export async function listedPlugins(config: HostConfig): Promise<readonly string[]> {
  const sources = pluginSources(config, { settleMs: 1 }, installedPlugins(config))
  const listings = await Promise.all(sources.map((source) => source.list(AbortSignal.timeout(listMs))))
  const ids = listings.flatMap(({ packages }) => packages.map(({ manifest }): unknown => Reflect.get(Object(manifest), 'id')))
  return ids.filter((id) => typeof id === 'string')
}
