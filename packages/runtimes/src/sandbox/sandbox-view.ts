import { lstat, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'

/** One file or directory as it is in a sandbox: by the same path as outside. */
export interface Mount {
  /** A real path. */
  readonly path: string
  readonly mode: 'read' | 'write' | 'device'
}

/** A name in a sandbox that leads to another, as it does outside. */
export interface Link {
  readonly name: string
  readonly target: string
}

/** All of the machine's files that a sandbox holds: mounts in an order in which each comes after what is around it. */
export interface SandboxView {
  readonly mounts: readonly Mount[]
  readonly links: readonly Link[]
}

/** What stays the sandbox's own, whatever was granted: these show the sandbox itself. */
const own = /^\/(?:proc|dev\/(?:pts|shm))(?:\/|$)/

/**
 * Turns paths that may be read and written into mounts. A path through a link is there by both its names. What does not
 * exist now will not exist in the sandbox.
 */
export async function sandboxView(reads: readonly string[], writes: readonly string[]): Promise<SandboxView> {
  const modes = new Map<string, Mount['mode']>()
  const named = new Map<string, string>()
  const add = async (granted: string, mode: 'read' | 'write'): Promise<void> => {
    const path = granted.replace(/\/\*$/, '')
    const real = await realpath(path).catch(() => undefined)
    if (real === undefined || own.test(real)) return
    if (modes.get(real) !== 'write') modes.set(real, mode)
    if (real.startsWith('/dev/')) modes.set(real, 'device')
    if (real !== path) named.set(path, real)
  }
  await Promise.all([...reads.map((path) => add(path, 'read')), ...writes.map((path) => add(path, 'write'))])
  const all = [...modes].map(([path, mode]): Mount => ({ path, mode })).toSorted(byDepth)
  const mounts = all.filter((mount) => surrounding(all, mount.path)?.mode !== mount.mode)
  // A name below another name is there with it.
  const outermost = [...named].filter(([name]) => ![...named.keys()].some((other) => name.startsWith(`${other}/`)))
  const links = await Promise.all(
    outermost.map(async ([name, target]) => ((await isThere(mounts, name)) ? [] : [{ name, target }])),
  )
  return { mounts, links: links.flat() }
}

/** The innermost mount around a path that is not the path itself. */
function surrounding(mounts: readonly Mount[], path: string): Mount | undefined {
  return mounts.findLast((mount) => mount.path !== path && `${path}/`.startsWith(mount.path === '/' ? '/' : `${mount.path}/`))
}

/** Whether a mount brings this name along: its directory's real path is in one. */
async function isThere(mounts: readonly Mount[], name: string): Promise<boolean> {
  const directory = await realpath(dirname(name))
  const inMount = mounts.some(({ path }) => `${directory}/`.startsWith(path === '/' ? '/' : `${path}/`))
  return inMount && directory === dirname(name) && (await lstat(name)).isSymbolicLink()
}

function byDepth(one: Mount, other: Mount): number {
  return one.path.split('/').length - other.path.split('/').length || (one.path < other.path ? -1 : 1)
}
