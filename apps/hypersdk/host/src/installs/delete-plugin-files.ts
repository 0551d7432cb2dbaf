import { lstat, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
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
  const place = await withoutLinks(path)
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => resolve(directory))))
  if (!roots.some((root) => place.startsWith(root + sep))) throw kept('they do not lie in a plugin directory')
  const others = paths().filter((other) => resolve(other) !== resolve(path) && resolve(other).startsWith(resolve(path) + sep))
  if (others.length > 0 || roots.some((root) => root.startsWith(place + sep))) throw kept('other plugins lie among them')
  const stats = await lstat(place).catch(() => undefined)
  await rm(place, { recursive: stats?.isDirectory() === true, force: true })
}

/** Where it lies wherever links on the way to it lead: a folder around it may have become one since it was found. */
async function withoutLinks(path: string): Promise<string> {
  const place = resolve(path)
  return join(await realpath(dirname(place)).catch(() => dirname(place)), basename(place))
}
