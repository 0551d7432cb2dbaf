import type { PluginDirectory, PluginRecord } from '@backplane/kernel'
import { serverErrors } from '../errors.ts'
import type { Caller } from '../guard/caller.ts'
import type { Peer } from '../handler.ts'
import { findPlugin } from './plugin-id.ts'
import { stateVersion } from './plugin-view.ts'
import { turns } from './turns.ts'
import { visiblePlugins } from './visible-plugins.ts'

/** What a change is asked for with. */
export interface AskedChange {
  readonly id: string
  readonly ifMatch: string | undefined
  readonly caller: Caller | undefined
}

/** Changes the plugin that is named, after every earlier change of it, if it is still as `ifMatch` says. */
export type PluginChange = <T>(asked: AskedChange, work: (record: PluginRecord) => Promise<T>) => Promise<T>

/** Lets changes to one plugin go one after another, so that `If-Match` cannot be overtaken. Errors: `SERVER_PLUGIN_BUSY`. */
export function pluginChanges(plugins: PluginDirectory): PluginChange {
  const inTurn = turns()
  return async ({ id, ifMatch, caller }, work) => {
    const visible = visiblePlugins(plugins, caller)
    const { id: fullId } = findPlugin(visible, id)
    return inTurn(fullId, () => {
      const record = findPlugin(visible, fullId)
      checkPrecondition(record, ifMatch)
      return work(record)
    })
  }
}

/** What a route that changes a plugin was asked. */
export function askedChange({ req, env }: ChangeContext): AskedChange {
  return { id: req.param('id'), ifMatch: req.header('if-match'), caller: env.caller }
}

interface ChangeContext {
  readonly req: { readonly param: (name: 'id') => string; readonly header: (name: string) => string | undefined }
  readonly env: Peer
}

/** A change that left the old generation serving did not do what was asked. */
export function refusedUpdate(
  code: 'SERVER_RELOAD_FAILED' | 'SERVER_ROLLBACK_FAILED',
  before: PluginRecord,
  after: PluginRecord,
): PluginRecord {
  const { update } = after
  if (update === undefined || update.atMs === before.update?.atMs) return after
  const { failure, version } = update
  throw serverErrors.error(
    code,
    {
      id: after.id,
      reason: failure.message.endsWith('.') ? failure.message : `${failure.message}.`,
      version: after.version,
    },
    { plugin: after.id, hint: failure.hint, details: { code: failure.code, version } },
  )
}

/** Source: RFC 9110 §13.1.1. */
function checkPrecondition(record: PluginRecord, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return
  const tags = ifMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  if (!tags.includes(`"${stateVersion(record)}"`)) {
    throw serverErrors.error('SERVER_STATE_CHANGED', { id: record.id }, { plugin: record.id })
  }
}
