import { chmod, mkdir, readdir, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { wholeTree } from './package-store.ts'
import { removeLeftovers } from './private-folder.ts'
import { isLeftover } from './staging-name.ts'
import { StoreLeases } from './store-leases.ts'
import { StoreOwners } from './store-owners.ts'

/** Something in a store that does not belong there, or is not what it says. */
export interface StoreFlaw {
  /** `leftover`: of somebody who was killed. `unclaimed`: no plugin's. `damaged`: its bytes are others than its name says. */
  readonly kind: 'leftover' | 'unclaimed' | 'damaged'
  /** Absolute. */
  readonly path: string
}

const entryPattern = /^sha256-[0-9a-f]{64}$/

/** Looks at everything in a store, hashing each entry again that nobody is using; changes nothing. One that is not there has no flaws. */
export async function examineStore(directory: string, signal: AbortSignal): Promise<readonly StoreFlaw[]> {
  const names = await readdir(directory).catch(() => [])
  if (names.length === 0) return []
  const leases = new StoreLeases(directory)
  const owners = new StoreOwners(directory)
  const claimed = new Set((await Promise.all((await owners.plugins()).map((plugin) => owners.entries(plugin)))).flat())
  const flaws: StoreFlaw[] = []
  for (const name of names.toSorted((one, other) => (one < other ? -1 : 1))) {
    signal.throwIfAborted()
    const path = join(directory, name)
    if (isLeftover(name)) flaws.push({ kind: 'leftover', path })
    if (!entryPattern.test(name) || leases.covers(name)) continue
    if (!claimed.has(name)) flaws.push({ kind: 'unclaimed', path })
    else if (!(await isWhole(path, name, signal))) flaws.push({ kind: 'damaged', path })
  }
  return flaws
}

/**
 * Takes a flaw out of a store: leftovers are removed, entries are moved into the folder `aside`, to be looked at. Answers where
 * it is now; undefined for what is gone. Whoever takes an entry into use meanwhile keeps it.
 */
export async function takeOut({ kind, path }: StoreFlaw, aside: string): Promise<string | undefined> {
  if (kind === 'leftover') {
    await removeLeftovers(join(path, '..'))
    return undefined
  }
  const name = basename(path)
  if (new StoreLeases(join(path, '..')).covers(name)) return path
  const to = join(aside, `${name}-${Date.now()}`)
  await mkdir(aside, { recursive: true, mode: 0o700 })
  // a folder that may not be written to is not moved into another one
  await chmod(path, 0o700)
  await rename(path, to)
  return to
}

async function isWhole(path: string, name: string, signal: AbortSignal): Promise<boolean> {
  return (await wholeTree(path, { digest: name.replace('-', ':'), totalBytes: Infinity }, signal)) !== undefined
}
