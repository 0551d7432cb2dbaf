import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { Directories } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'
import { writablePaths } from '../sandbox/sandbox-view.ts'
import { isWithin, wayTo } from '../sandbox/way-to.ts'

/** Granted paths as the permission model needs them. */
export interface GrantedPaths {
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

/** What a plugin has without being granted it, by real paths. */
export interface OwnPaths {
  readonly directories: Directories
  /** What else its process is made of: the guest's own files, the packages of its host's modules. */
  readonly reads: readonly string[]
}

/**
 * The model matches paths as they are written and follows links that are there. So a path through a link is granted by
 * both its names, but a link itself is never granted for writing: it could be moved, and a link inside a directory of the
 * plugin's own leads out of it. A path that does not exist yet may become a file or a directory.
 *
 * A path through a directory that the plugin may write is granted by that name alone: where it leads is the plugin's doing.
 * What holds the plugin's own code or directories is not granted for writing: it could put another in their place, and the
 * next start would take that.
 *
 * Errors: `RUNTIME_GRANT_UNUSABLE` for a path that would grant more than it says, `RUNTIME_GRANT_TOO_WIDE`.
 */
export async function grantedPaths(
  grants: { readonly fsRead: readonly string[]; readonly fsWrite: readonly string[] },
  plugin: string,
  own: OwnPaths,
): Promise<GrantedPaths> {
  for (const path of [...grants.fsRead, ...grants.fsWrite]) await checkExact(path, plugin)
  const { data, exchange } = own.directories
  const writable = await writablePaths([data, exchange, ...grants.fsWrite])
  for (const path of grants.fsWrite) await checkApart(path, plugin, own)
  const reads = await Promise.all(grants.fsRead.map(async (path) => namesOf(path, writable)))
  const writes = await Promise.all(grants.fsWrite.map(async (path) => writableNames(path, await namesOf(path, writable))))
  return { reads: [...new Set(reads.flat())], writes: [...new Set(writes.flat())] }
}

async function checkExact(path: string, plugin: string): Promise<void> {
  const real = isAbsolute(path) && !path.includes('\0') ? await realpath(path).catch(() => undefined) : undefined
  if (isAbsolute(path) && !/[*\0]/.test(path) && real?.includes('*') !== true) return
  throw runtimeErrors.error('RUNTIME_GRANT_UNUSABLE', { plugin, path }, { plugin })
}

async function checkApart(path: string, plugin: string, { directories, reads }: OwnPaths): Promise<void> {
  const { code, data, exchange } = directories
  const way = await wayTo(path, [data, exchange])
  if (way.kind !== 'fixed') return
  const { real } = way
  const held = [code, data, exchange, process.execPath, ...reads].find((one) => one !== real && isWithin(one, real))
  const inside = [code, ...reads].find((one) => isWithin(real, one))
  const what = held ?? inside
  if (what !== undefined) throw runtimeErrors.error('RUNTIME_GRANT_TOO_WIDE', { plugin, path, what }, { plugin })
}

async function namesOf(path: string, writable: readonly string[]): Promise<readonly string[]> {
  const way = await wayTo(path, writable)
  if (way.kind === 'nowhere') return [path, `${path}/*`]
  return way.kind === 'fixed' ? [...new Set([path, way.real])] : [path]
}

async function writableNames(path: string, names: readonly string[]): Promise<readonly string[]> {
  const stats = await lstat(path).catch(() => undefined)
  return stats?.isSymbolicLink() === true ? names.filter((name) => name !== path && !name.startsWith(`${path}/`)) : names
}
