import type { Kernel, PluginRecord } from '@backplane/kernel'
import { serverErrors } from '../errors.ts'
import type { Caller } from '../guard/caller.ts'
import type { InstallPlan, InstallWork, PluginInstalls } from './plugin-installs.ts'
import { checkReached, checkUnused, removedBy, type PluginUsers } from './plugin-users.ts'

/** How a plugin is to go. */
export interface Removal {
  readonly keepState: boolean
  readonly deleteFiles: boolean
  /** Also what needs it. */
  readonly withUsers: boolean
  /** Ends what it is at. */
  readonly force: boolean
  readonly caller: Caller | undefined
}

/** What removing is done with. */
export interface RemovalParts {
  readonly kernel: Kernel
  readonly installs: PluginInstalls | undefined
  readonly users: PluginUsers | undefined
}

/**
 * Takes a plugin out: of the lock when it is installed, with what only it needed; else it is forgotten until its source changes.
 * Errors: `SERVER_PLUGIN_BUILT_IN`, `SERVER_PLUGIN_IN_USE`, `SERVER_PLUGINS_REFUSED`, `SERVER_FILES_KEPT`, those of the installer.
 */
export async function removePlugin(
  { kernel, installs, users }: RemovalParts,
  record: PluginRecord,
  { keepState, deleteFiles, withUsers, force, caller }: Removal,
  work: InstallWork,
): Promise<void> {
  const { id } = record
  if (record.origin === 'bundled') throw serverErrors.error('SERVER_PLUGIN_BUILT_IN', { id }, { plugin: id })
  const isInstalled = installs?.isInstalled(record) === true
  if (installs !== undefined && isInstalled) {
    const check = (plan: InstallPlan): void => {
      checkReached(plan, caller)
      if (!force) checkUnused(removedBy(plan, kernel.plugins), users)
    }
    await installs.apply({ changes: [{ kind: 'remove', id, withUsers }], check, approvals: {} }, work)
  } else if (!force) checkUnused([record], users)
  if (deleteFiles && !isInstalled) await deleteFolder(installs, record)
  if (kernel.plugins.get(id) !== undefined) await kernel.plugins.remove(id, { keepState })
  if (!isInstalled && !deleteFiles) return
  await kernel.plugins.refresh()
  if (isInstalled && deleteFiles) await installs?.collect(work)
}

async function deleteFolder(installs: PluginInstalls | undefined, record: PluginRecord): Promise<void> {
  const { id } = record
  if (installs !== undefined) return installs.deleteFiles(record)
  throw serverErrors.error('SERVER_FILES_KEPT', { id, reason: 'this host deletes none' }, { plugin: id })
}
