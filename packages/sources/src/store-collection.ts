import { renameSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { stagingName } from './staging-name.ts'
import type { StoreLeases } from './store-leases.ts'
import type { StoreOwners } from './store-owners.ts'
import { removeTree } from './write-tree.ts'

/** What a collection is told. */
export interface StoreParts {
  readonly directory: string
  readonly leases: StoreLeases
  readonly owners: StoreOwners
  /** Entries of each plugin that are kept though nobody uses them. */
  readonly keep: number
  /** Digests of entries that are kept as well. */
  readonly roots?: (() => Promise<ReadonlySet<string>>) | undefined
}

const entryPattern = /^sha256-[0-9a-f]{64}$/

/** Removes what of one plugin's entries nobody uses, but for the newest. */
export async function collectPlugin(parts: StoreParts, plugin: string): Promise<void> {
  const entries = await parts.owners.entries(plugin)
  const older = entries.slice(parts.keep)
  const roots = older.length === 0 ? undefined : await parts.roots?.()
  for (const entry of older) {
    if (parts.leases.covers(entry) || roots?.has(entry.replace('-', ':')) === true) continue
    if (!(await isClaimedByAnother(parts.owners, plugin, entry))) await remove(parts, entry)
    if (!parts.leases.covers(entry)) await parts.owners.drop(plugin, entry)
  }
}

/** Collects for every plugin, and what belongs to none. */
export async function collectAll(parts: StoreParts): Promise<void> {
  const claimed = new Set<string>()
  for (const plugin of await parts.owners.plugins()) {
    await collectPlugin(parts, plugin)
    for (const entry of await parts.owners.entries(plugin)) claimed.add(entry)
  }
  for (const name of await readdir(parts.directory)) {
    if (entryPattern.test(name) && !claimed.has(name)) await remove(parts, name)
  }
}

/** Equal bytes under two names are one entry. */
async function isClaimedByAnother(owners: StoreOwners, plugin: string, entry: string): Promise<boolean> {
  for (const other of await owners.plugins()) {
    if (other !== plugin && (await owners.entries(other)).includes(entry)) return true
  }
  return false
}

/**
 * Moves an entry aside in one step and then removes it, so that no half-removed entry is ever found under its name; what a
 * kill leaves behind is removed by the next host. Who takes a lease just before the move gets the entry back, who takes
 * it later finds none and writes it anew.
 */
async function remove({ directory, leases }: StoreParts, entry: string): Promise<void> {
  using aside = stagingName()
  const [from, to] = [join(directory, entry), join(directory, aside.name)]
  if (leases.covers(entry)) return
  try {
    renameSync(from, to)
    if (leases.covers(entry)) renameSync(to, from)
  } catch {
    // Another host was faster, or somebody has already written the entry anew.
  }
  await removeTree(to)
}
