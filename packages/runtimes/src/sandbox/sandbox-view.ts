import { isWithin, nameAmong, wayTo } from './way-to.ts'

/** One file or directory as it is in a sandbox: by the same path as outside. */
export interface Mount {
  /** Where it is in the sandbox. */
  readonly path: string
  /** Real path of what is there; `path` itself, but for a name that cannot be a link. */
  readonly source: string
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
 * exist now will not exist in the sandbox, and neither will what a name in a directory that may be written leads to outside
 * of it: the plugin could have made that name. What lies in such a directory is there with it, to be written.
 *
 * `taken` are names that are in the sandbox in any case, so that no link can have them or one above them.
 */
export async function sandboxView(
  reads: readonly string[],
  writes: readonly string[],
  taken: readonly string[] = [],
): Promise<SandboxView> {
  const writable = await writablePaths(writes)
  const modes = new Map<string, Mount['mode']>()
  const named = new Map<string, string>()
  const add = async (granted: string, mode: 'read' | 'write'): Promise<void> => {
    const path = granted.replace(/\/\*$/, '')
    const way = await wayTo(path, writable)
    if (way.kind !== 'fixed' || own.test(way.real)) return
    if (modes.get(way.real) !== 'write') modes.set(way.real, mode)
    if (way.real.startsWith('/dev/')) modes.set(way.real, 'device')
    if (way.real !== path) named.set(path, way.real)
  }
  await Promise.all([...reads.map((path) => add(path, 'read')), ...writes.map((path) => add(path, 'write'))])
  const all = [...modes].map(([path, mode]): Mount => ({ path, source: path, mode })).toSorted(byDepth)
  const mounts = all.filter((mount) => surrounding(all, mount.path)?.mode !== mount.mode)
  return withNames(mounts, named, taken)
}

/** Real paths of what may be written, without those that lie in another of them. */
export async function writablePaths(writes: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const path of writes.toSorted((one, other) => one.length - other.length)) {
    const way = await wayTo(path.replace(/\/\*$/, ''), [...found])
    if (way.kind === 'fixed') found.add(way.real)
  }
  return [...found].filter((path) => ![...found].some((other) => other !== path && isWithin(path, other)))
}

/** Adds what is reached by another name than its own. */
async function withNames(
  mounts: readonly Mount[],
  named: ReadonlyMap<string, string>,
  taken: readonly string[],
): Promise<SandboxView> {
  const more: Mount[] = []
  const links = new Map<string, string>()
  const there = mounts.map(({ path }) => path)
  for (const [name, target] of [...named].toSorted(([one], [other]) => one.length - other.length)) {
    const place = await nameAmong(name, there)
    // It is there with a mount, or with a name above it.
    if (place === target || [...there, ...links.keys()].some((path) => isWithin(place, path))) continue
    const isTaken = [...taken, ...there, ...links.keys()].some((path) => isWithin(path, place))
    const mode = surrounding(mounts, target, true)?.mode ?? 'read'
    if (isTaken) more.push({ path: place, source: target, mode })
    else links.set(place, target)
  }
  return {
    // What stands for a link comes first: what is below it is put into it.
    mounts: [...mounts, ...more].toSorted(byDepth),
    links: [...links].map(([name, target]) => ({ name, target })),
  }
}

/** The innermost mount around a path, which is not the path itself unless that counts too. */
function surrounding(mounts: readonly Mount[], path: string, itself = false): Mount | undefined {
  return mounts.findLast((mount) => (itself || mount.path !== path) && isWithin(path, mount.path))
}

function byDepth(one: Mount, other: Mount): number {
  return one.path.split('/').length - other.path.split('/').length || (one.path < other.path ? -1 : 1)
}
