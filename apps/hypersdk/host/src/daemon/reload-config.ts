import type { AuditTrail, Kernel } from '@backplane/kernel'
import type { Environment } from '../config/default-places.ts'
import { bareName, keyOf } from '../providers/named-plugin.ts'
import type { IdsNamed } from '../providers/plugin-names.ts'
import type { HostConfig } from '../config/host-config.ts'
import type { ProviderRegistry } from '../providers/provider-registry.ts'
import { learnEnvironment } from '../secrets/learn-environment.ts'
import type { Redactor } from '../secrets/redactor.ts'
import type { HostLog } from './host-log.ts'
import type { ConfigChange, LiveConfig } from './live-config.ts'

/** What a configuration that is read again has to reach. */
export interface ReloadConfigParts {
  readonly live: LiveConfig
  readonly kernel: Kernel
  readonly providers: ProviderRegistry
  readonly env: Environment
  readonly redactor: Redactor
  readonly log: HostLog
  readonly trail: AuditTrail | undefined
}

/**
 * Reads the configuration again and takes up what may change: settings of plugins, each as a new generation that is proved
 * beside the one that serves, and instances of providers, which are opened anew. A file with any problem changes nothing,
 * and settings that a plugin does not take leave it with those it has. Errors: those of `reread`.
 */
export async function reloadConfig(reread: () => Promise<HostConfig>, parts: ReloadConfigParts): Promise<void> {
  const { live, providers, log, trail } = parts
  const entry = { actor: { kind: 'host', name: 'host' }, action: 'config.reload', subject: live.file ?? 'the defaults' } as const
  let change: ConfigChange
  try {
    const next = await reread()
    learnEnvironment(next, parts.env, parts.redactor)
    change = live.take(next)
  } catch (error) {
    trail?.note({ ...entry, outcome: 'refused', reason: error instanceof Error ? error.message : String(error) })
    throw error
  }
  const { plugins, instances, later } = change
  providers.reconfigured(instances)
  for (const section of later) log.warn(`${section} was changed; that counts from the next start on`)
  trail?.note({ ...entry, outcome: 'ok', details: { plugins: [...plugins.keys()].join(', '), instances: instances.join(', ') } })
  for (const id of pluginsOf(change, parts)) await renew(id, change, parts)
}

/** Running plugins whose own settings or whose instances are different: both decide what they may do. */
function pluginsOf({ plugins, types }: ConfigChange, { kernel, providers }: ReloadConfigParts): readonly string[] {
  const suppliers = new Set(providers.types().flatMap(({ type, plugin }) => (types.has(type) ? [plugin] : [])))
  return kernel.plugins
    .list()
    .filter(({ id, state }) => {
      const isConcerned = suppliers.has(id) || keyOf(id, plugins, idsNamed(kernel)) !== undefined
      return isConcerned && state.name !== 'disabled' && state.name !== 'idle'
    })
    .map(({ id }) => id)
}

function idsNamed({ plugins }: Kernel): IdsNamed {
  const ids = plugins.list().map(({ id }) => id)
  return (name) => ids.filter((id) => bareName(id) === name)
}

async function renew(id: string, { plugins }: ConfigChange, { kernel, live, log }: ReloadConfigParts): Promise<void> {
  const before = kernel.plugins.get(id)
  const key = keyOf(id, plugins, idsNamed(kernel))
  try {
    const { state, update, generation } = await kernel.plugins.reload(id)
    const problem = update === undefined || update === before?.update ? undefined : update.failure.message
    if (state.name !== 'active' || problem === undefined) {
      log.info('a plugin has its new settings', { plugin: id, state: state.name, generation })
      return
    }
    log.error('a plugin does not take its new settings and goes on with those it has', { plugin: id, reason: problem })
  } catch (error) {
    log.error('a plugin could not be given its new settings', { plugin: id, error })
  }
  // What starts it again after a fault must not be what it does not start with.
  if (key !== undefined) live.putBack(key, plugins.get(key))
}
