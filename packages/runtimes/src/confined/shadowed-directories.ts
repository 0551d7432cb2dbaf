import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The granted directories that a process may not name although it may use what is in them: the permission model keeps
 * paths in a tree of common beginnings, and forgets the directory `/srv/disks` itself, not the files in it, once
 * `/srv/disks-old` is granted too.
 */
export function shadowedDirectories(paths: readonly string[]): readonly string[] {
  const distinct = [...new Set(paths)]
  const goesOn = (path: string): boolean =>
    distinct.some((other) => other.startsWith(path) && /^[^/]/.test(other.slice(path.length)))
  return distinct.filter((path) => goesOn(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
}

/**
 * Puts a link to each of `directories` into `parent`, by names nobody can guess: the model matches a path as it is
 * written while the system follows it, so that `link/../name` must be nowhere. For reading only; a link that could be
 * moved would lead out of its directory. Answers the link of each directory.
 */
export async function linkDirectories(directories: readonly string[], parent: string): Promise<Readonly<Record<string, string>>> {
  const links = linksTo(directories, parent)
  await Promise.all(Object.entries(links).map(([path, link]) => symlink(path, link)))
  return links
}

/** The links that {@link linkDirectories} would make, for where somebody else makes them. */
export function linksTo(directories: readonly string[], parent: string): Readonly<Record<string, string>> {
  return Object.fromEntries(directories.map((path) => [path, join(parent, randomBytes(16).toString('hex'))]))
}
