import type { PluginDirectory, PluginRecord } from '@backplane/kernel'
import { serverErrors } from '../errors.ts'
import { findPlugin } from './plugin-id.ts'
import { stateVersion } from './plugin-view.ts'
import { turns } from './turns.ts'

/** Changes the plugin that is named, after every earlier change of it, if it is still as `ifMatch` says. */
export type PluginChange = <T>(id: string, ifMatch: string | undefined, work: (record: PluginRecord) => Promise<T>) => Promise<T>

/** Lets changes to one plugin go one after another, so that `If-Match` cannot be overtaken. */
export function pluginChanges(plugins: PluginDirectory): PluginChange {
  const inTurn = turns()
  return async (id, ifMatch, work) => {
    const { id: fullId } = findPlugin(plugins, id)
    return inTurn(fullId, () => {
      const record = findPlugin(plugins, fullId)
      checkPrecondition(record, ifMatch)
      return work(record)
    })
  }
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
