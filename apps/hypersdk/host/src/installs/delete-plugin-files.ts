import { lstat, rm } from 'node:fs/promises'
import { dirname, resolve, sep } from 'node:path'
import { serverErrors, type NamedPlugin } from '@backplane/server'

/** What decides which files may go. */
export interface DeletableFiles {
  /** Plugins that lie below these may be deleted; never one of these itself. */
  readonly directories: readonly string[]
  /** Where all plugins lie. */
  readonly paths: () => readonly string[]
}

/**
 * Deletes the folder, or the file, that is a plugin: exactly that, and only where the host looks for plugins. A link is removed and
 * not what it leads to. Errors: `SERVER_FILES_KEPT`.
 */
export async function deletePluginFiles({ id, path }: NamedPlugin, { directories, paths }: DeletableFiles): Promise<void> {
  const kept = (reason: string): Error => serverErrors.error('SERVER_FILES_KEPT', { id, reason }, { plugin: id })
  const place = resolve(path)
  if (!directories.some((directory) => dirname(place) === resolve(directory) || place.startsWith(resolve(directory) + sep))) {
    throw kept('they do not lie in a plugin directory')
  }
  const others = paths().filter((other) => resolve(other) !== place && resolve(other).startsWith(place + sep))
  if (others.length > 0 || directories.some((directory) => resolve(directory).startsWith(place + sep))) {
    throw kept('other plugins lie among them')
  }
  const stats = await lstat(place).catch(() => undefined)
  await rm(place, { recursive: stats?.isDirectory() === true, force: true })
}
