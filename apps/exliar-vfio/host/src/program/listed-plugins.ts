import type { Failure, Kernel, PluginRecord } from '@backplane/kernel'

/** A plugin as people look at it. */
export interface ListedPlugin extends PluginRecord {
  /** Why its first use would be refused, though nothing is wrong yet. */
  readonly refusal?: Failure
}

/** Every plugin, and of those that nobody has used yet whether they would be let in. */
export async function listedPlugins(plugins: Kernel['plugins'], signal: AbortSignal): Promise<readonly ListedPlugin[]> {
  return Promise.all(plugins.list().map((record) => listedPlugin(plugins, record, signal)))
}

/** One of them. */
export async function listedPlugin(plugins: Kernel['plugins'], record: PluginRecord, signal: AbortSignal): Promise<ListedPlugin> {
  const refusal = await plugins.refusal(record.id, signal)
  return refusal === undefined ? record : { ...record, refusal }
}
