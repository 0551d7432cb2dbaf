import type { PluginDirectory, PluginRecord } from '@backplane/kernel'
import { serverErrors } from '../errors.ts'
import { reaches, type Caller } from '../guard/caller.ts'
import type { InstallPlan } from './plugin-installs.ts'

/** Names, for people, what uses a plugin: jobs, instances. */
export type PluginUsers = (plugin: PluginRecord) => readonly string[]

/** Refuses to remove what is in use: calls and leases, and what the host names. Errors: `SERVER_PLUGIN_IN_USE` with all users. */
export function checkUnused(records: readonly PluginRecord[], users: PluginUsers | undefined): void {
  const used = records.map((record) => ({ id: record.id, users: usersOf(record, users) }))
  const inUse = used.filter((one) => one.users.length > 0)
  const [first] = inUse
  if (first === undefined) return
  const id = inUse.map((one) => one.id).join('`, `')
  const all = inUse.flatMap((one) => one.users)
  throw serverErrors.error('SERVER_PLUGIN_IN_USE', { id, users: all.join(', ') }, { plugin: first.id, details: { users: all } })
}

/** What uses a plugin now: what the host names, calls and leases. */
export function usersOf(record: PluginRecord, users: PluginUsers | undefined): readonly string[] {
  return [...(users?.(record) ?? []), ...ownUsers(record)]
}

/** The plugins that a plan removes. */
export function removedBy({ steps }: InstallPlan, plugins: Pick<PluginDirectory, 'get'>): readonly PluginRecord[] {
  const ids = steps.filter(({ kind }) => kind === 'remove').map(({ id }) => id)
  return ids.map((id) => plugins.get(id)).filter((record) => record !== undefined)
}

/** Refuses a plan that changes more than its caller's token is for. Errors: `SERVER_PLUGINS_REFUSED`. */
export function checkReached({ steps }: InstallPlan, caller: Caller | undefined): void {
  if (steps.every(({ id }) => reaches(caller, id))) return
  throw serverErrors.error('SERVER_PLUGINS_REFUSED', { plugins: (caller?.plugins ?? []).join(', ') })
}

function ownUsers({ counters, draining }: PluginRecord): readonly string[] {
  const leases = draining.reduce((sum, one) => sum + one.leases, 0)
  return [...countOf(counters.active, 'call'), ...countOf(leases, 'lease')]
}

function countOf(count: number, what: string): readonly string[] {
  return count === 0 ? [] : [`${count} ${what}${count === 1 ? '' : 's'}`]
}
