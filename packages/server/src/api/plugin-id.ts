import type { PluginRecord } from '@backplane/kernel'
import { nearestName } from '@backplane/sdk'
import { serverErrors } from '../errors.ts'
import type { VisiblePlugins } from './visible-plugins.ts'

/** A bare name or `publisher/name`. Packages that could not be read are named by their path instead. */
export const pluginIdPattern = /^[a-z0-9][a-z0-9-]{0,63}(\/[a-z0-9][a-z0-9-]{0,63})?$/

/** Names of fixed routes; as a bare name they never mean a plugin, whatever the method. */
const reserved = new Set(['reload', 'search', 'stats', 'builtin', 'plan', 'apply', 'install', 'upload', 'outdated'])

/**
 * The plugin a request names. Ids are only ever compared, never joined to a path.
 * Errors: `SERVER_ID_INVALID`, `SERVER_ID_RESERVED`, `SERVER_ID_AMBIGUOUS`, `SERVER_PLUGIN_UNKNOWN` with the nearest id.
 */
export function findPlugin(plugins: VisiblePlugins, id: string): PluginRecord {
  if (!pluginIdPattern.test(id)) return unreadable(plugins, id)
  if (reserved.has(id)) throw serverErrors.error('SERVER_ID_RESERVED', { name: id })
  if (id.includes('/')) return plugins.get(id) ?? unknown(plugins, id)
  const [found, ...others] = plugins.list().filter((record) => record.id.endsWith(`/${id}`))
  if (found === undefined) return unknown(plugins, id)
  if (others.length === 0) return found
  const ids = [found, ...others].map((record) => record.id).join(', ')
  throw serverErrors.error('SERVER_ID_AMBIGUOUS', { name: id, ids })
}

/** A package whose manifest cannot be read is listed under its path, and named by it or by its last part. */
function unreadable(plugins: VisiblePlugins, id: string): PluginRecord {
  const [found, ...others] = plugins.list().filter((record) => record.id === id || record.id.endsWith(`/${id}`))
  if (found === undefined || others.length > 0) throw serverErrors.error('SERVER_ID_INVALID')
  return found
}

function unknown(plugins: VisiblePlugins, id: string): never {
  const ids = plugins.list().map((record) => record.id)
  const byName = new Map(ids.map((known) => [id.includes('/') ? known : known.slice(known.indexOf('/') + 1), known]))
  const similar = byName.get(nearestName(id, byName.keys()) ?? '')
  throw serverErrors.error('SERVER_PLUGIN_UNKNOWN', {
    id,
    nearest: similar === undefined ? '.' : `; did you mean \`${similar}\`?`,
  })
}
