import { readdirSync } from 'node:fs'
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { sourceErrors } from './errors.ts'
import { defaultPackageLimits } from './limits.ts'
import { makePrivateFolder, removeLeftovers } from './private-folder.ts'
import { readManifest } from './read-manifest.ts'
import { readTree, type PackageTree } from './read-tree.ts'
import { stagingName } from './staging-name.ts'
import { collectAll, collectPlugin, type StoreParts } from './store-collection.ts'
import { StoreLeases } from './store-leases.ts'
import { StoreOwners } from './store-owners.ts'
import { lookAtPackage } from './tree-look.ts'
import { removeTree, syncFolder, writeTree } from './write-tree.ts'

/** An entry of the store. */
export interface StoredPackage {
  /** Absolute. */
  readonly directory: string
  /** Hashes it again. */
  readonly isWhole: (signal: AbortSignal) => Promise<boolean>
  /** Nobody loads from it any more. Idempotent, never rejects; settles once what became unused is removed. */
  readonly release: () => Promise<void>
}

/** Whose a package is, and what is to be known of it beside its bytes. */
export interface StoreOwner {
  /** Id of the plugin, or where it was found. */
  readonly plugin: string
  /** JSON. */
  readonly facts: unknown
}

/** An entry that was asked for by its digest. */
export interface RecalledEntry extends StoredPackage {
  /** What was known of the package when it was put. The digest does not cover it. */
  readonly facts: unknown
  /** Exactly the files the digest is of. */
  readonly tree: PackageTree
}

/** What lies in the store of a plugin, without a look at all its bytes: none of it is certain before a {@link PackageStore.recall}. */
export interface Glimpse {
  /** Of the `plugin.json` in the entry. */
  readonly manifest: unknown
  readonly facts: unknown
}

/** Entries of each plugin that are kept though nobody uses them: the newest, and the one to go back to. */
export const defaultKeep = 2

/**
 * Packages by what is in them: `<directory>/sha256-<digest>/`, read-only, never written again. An entry comes into
 * being by one rename after its bytes are on the disk: whenever the host is killed, an entry is whole or not there.
 * Entries that no living process uses are removed when they are released and when the store is opened, but for the
 * newest `keep` of each plugin. Whoever may write to the directory decides what plugins run, so it belongs to the host
 * alone (0700).
 */
export class PackageStore {
  readonly directory: string
  readonly #parts: StoreParts
  /** Plugins that were removed: once nobody uses their entries, none is kept. */
  readonly #forgotten = new Set<string>()
  #opened: Promise<void> | undefined
  #collecting: Promise<void> = Promise.resolve()

  /** `roots`: digests of entries that are kept though nobody uses them, however old they are; what it throws keeps everything. */
  constructor(directory: string, keep: number = defaultKeep, roots?: () => Promise<ReadonlySet<string>>) {
    this.directory = directory
    this.#parts = { directory, keep, leases: new StoreLeases(directory), owners: new StoreOwners(directory), roots }
  }

  /** A plugin's package with this digest; undefined when there is none, or none with a manifest that can be read. */
  async glimpse(plugin: string, digest: string): Promise<Glimpse | undefined> {
    const name = nameOf(digest)
    const facts = name === undefined ? undefined : await this.#parts.owners.facts(plugin, name)
    if (name === undefined || facts === undefined) return undefined
    const reading = readManifest(join(this.directory, name, 'plugin.json'), defaultPackageLimits)
    return reading.kind === 'read' ? { manifest: reading.manifest, facts } : undefined
  }

  /**
   * The folder that holds exactly `tree`, which is the owner's newest now. An entry already there is hashed again before it
   * is used; one that no longer is what its name says is replaced. Errors: `SOURCE_STORE_UNSAFE`, `SOURCE_STORE_FAILED`.
   */
  async put({ plugin, facts }: StoreOwner, tree: PackageTree, signal: AbortSignal): Promise<StoredPackage> {
    const name = tree.digest.replace(':', '-')
    const entry = join(this.directory, name)
    try {
      this.#opened ??= this.#open()
      await this.#opened
      using taken = new DisposableStack()
      taken.use(this.#parts.leases.take(name))
      if (!(await holds(entry, sizeOf(tree), signal))) await this.#write(entry, tree, signal)
      this.#forgotten.delete(plugin)
      await this.#parts.owners.claim(plugin, name, facts)
      const lease = taken.move()
      return { directory: entry, isWhole: wholeness(entry, sizeOf(tree)), release: () => this.#release(plugin, lease) }
    } catch (error) {
      this.#opened = undefined
      if (error instanceof PlatformError || signal.aborted) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw sourceErrors.error('SOURCE_STORE_FAILED', { path: this.directory, reason }, { cause: error })
    }
  }

  /**
   * An entry by its digest, hashed again; it is its plugin's newest now. Undefined when there is none, or it is no longer what
   * its name says. Errors: `SOURCE_STORE_UNSAFE`.
   */
  async recall(digest: string, signal: AbortSignal): Promise<RecalledEntry | undefined> {
    const name = nameOf(digest)
    if (name === undefined) return undefined
    const directory = join(this.directory, name)
    const { leases, owners } = this.#parts
    this.#opened ??= this.#open()
    await this.#opened.catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    using taken = new DisposableStack()
    taken.use(leases.take(name))
    const owner = await owners.find(name)
    const tree = owner === undefined ? undefined : await wholeTree(directory, { digest, totalBytes: Infinity }, signal)
    if (owner === undefined || tree === undefined) return undefined
    await owners.claim(owner.plugin, name, owner.facts)
    const lease = taken.move()
    const isWhole = wholeness(directory, { digest, totalBytes: Infinity })
    return { directory, facts: owner.facts, tree, isWhole, release: () => this.#release(owner.plugin, lease) }
  }

  /** Keeps nothing of a plugin any more but what is still in use, until it is put again. Never rejects. */
  async forget(plugin: string): Promise<void> {
    this.#forgotten.add(plugin)
    await this.#collect(() => collectPlugin({ ...this.#parts, keep: 0 }, plugin))
  }

  /** Removes what nobody uses or keeps, of every plugin. Answers how many entries went. Errors: `SOURCE_STORE_UNSAFE`. */
  async collect(): Promise<number> {
    const before = await this.#count().catch(() => 0)
    this.#opened ??= this.#open()
    await this.#opened
    await this.#collect(() => collectAll(this.#parts))
    return Math.max(0, before - (await this.#count()))
  }

  async #count(): Promise<number> {
    return (await readdir(this.directory)).filter((name) => name.startsWith('sha256-')).length
  }

  /** Makes the directory, refuses one that others may write to, and removes what a killed host left behind. */
  async #open(): Promise<void> {
    await makePrivateFolder(this.directory)
    await removeLeftovers(this.directory)
    this.#parts.leases.sweep()
    await this.#collect(() => collectAll(this.#parts))
  }

  async #release(plugin: string, lease: DisposableStack): Promise<void> {
    if (lease.disposed) return
    lease.dispose()
    const keep = this.#forgotten.has(plugin) ? 0 : this.#parts.keep
    await this.#collect(() => collectPlugin({ ...this.#parts, keep }, plugin))
  }

  /** One collection at a time. What cannot be removed now only takes room; the next one tries again. */
  #collect(collect: () => Promise<void>): Promise<void> {
    this.#collecting = this.#collecting.then(collect).catch(() => {})
    return this.#collecting
  }

  async #write(entry: string, tree: PackageTree, signal: AbortSignal): Promise<void> {
    using unique = stagingName()
    const staging = join(this.directory, unique.name)
    try {
      await writeTree(staging, tree, signal)
      if (await isMoved(staging, entry)) await syncFolder(this.directory)
      else if (!(await holds(entry, sizeOf(tree), signal))) await this.#replace(entry, staging)
    } finally {
      await removeTree(staging)
    }
  }

  /** Puts `staging` in the place of an entry that was tampered with. */
  async #replace(entry: string, staging: string): Promise<void> {
    using unique = stagingName()
    const damaged = join(this.directory, unique.name)
    await rename(entry, damaged)
    await rename(staging, entry)
    await syncFolder(this.directory)
    await removeTree(damaged)
  }
}

interface TreeSize {
  readonly digest: string
  readonly totalBytes: number
}

function sizeOf({ digest, files }: PackageTree): TreeSize {
  return { digest, totalBytes: files.reduce((sum, file) => sum + file.bytes.length, 0) }
}

function wholeness(entry: string, size: TreeSize): StoredPackage['isWhole'] {
  return (signal) => holds(entry, size, signal)
}

/** The name of an entry; undefined for what is no digest. */
function nameOf(digest: string): string | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(digest) ? digest.replace(':', '-') : undefined
}

async function holds(entry: string, size: TreeSize, signal: AbortSignal): Promise<boolean> {
  return (await wholeTree(entry, size, signal)) !== undefined
}

/** What an entry holds, when its bytes are those of the digest: every file, hidden ones too, is hashed again. */
export async function wholeTree(
  entry: string,
  { digest, totalBytes }: TreeSize,
  signal: AbortSignal,
): Promise<PackageTree | undefined> {
  const limits = { ...defaultPackageLimits, totalBytes, files: Infinity, depth: Infinity }
  const look = lookAtPackage(entry, 'folder', { limits, ignore: [], names: everyName })
  if (look === undefined) return undefined
  try {
    const tree = await readTree(look, signal)
    return tree.digest === digest ? tree : undefined
  } catch (error) {
    if (error instanceof PlatformError) return undefined
    throw error
  }
}

function everyName(path: string): readonly string[] {
  return readdirSync(path).sort()
}

/** False when something is already there. */
async function isMoved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return false
    throw error
  }
}
