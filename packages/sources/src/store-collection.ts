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

/** So much longer than the newest of the store nobody asked for a plugin's entries: then it counts as gone, ms. */
export const unusedMs: number = 30 * 86_400_000

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

/**
 * Collects for every plugin, and what belongs to none. Of one that nobody asked for in a long time nothing is kept. That time
 * is told from what else was used, so that a host that was down for months finds what it left.
 */
export async function collectAll(parts: StoreParts): Promise<void> {
  const claimed = new Set<string>()
  const plugins = await parts.owners.plugins()
  const usedMs = await Promise.all(plugins.map((plugin) => parts.owners.usedMs(plugin)))
  const goneMs = usedMs.reduce((newest, ms) => Math.max(newest, ms), 0) - unusedMs
  for (const [at, plugin] of plugins.entries()) {
    const isGone = (usedMs[at] ?? 0) < goneMs
    await collectPlugin(isGone ? { ...parts, keep: 0 } : parts, plugin)
    const left = await parts.owners.entries(plugin)
    for (const entry of left) claimed.add(entry)
    if (left.length === 0) await parts.owners.leave(plugin)
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
