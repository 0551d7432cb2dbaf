import type { DirectoryMemo } from './directory-memo.ts'
import { readIndex, writeIndex, type IndexedManifest, type IndexEntry } from './manifest-index.ts'

/** The manifest index of one source: what it knew at the start, and when it is worth writing again. */
export class ManifestCache {
  readonly path: string
  #known: ReadonlyMap<string, IndexedManifest> = new Map()
  #stale = 0

  constructor(path: string) {
    this.path = path
  }

  async restore(memo: DirectoryMemo): Promise<void> {
    const index = await readIndex(this.path)
    if (index === undefined) return
    this.#known = index.packages
    memo.restore(index.folders)
  }

  /** The manifest of a package in exactly this state. */
  get(path: string, fingerprint: string): IndexedManifest | undefined {
    const known = this.#known.get(path)
    if (known?.fingerprint === fingerprint) return known
    this.#stale += 1
    return undefined
  }

  /** A package went away. */
  removed(): void {
    this.#stale += 1
  }

  /** Writes the index when more than one in fifty of its entries is out of date; the others are just read again. */
  async save(manifests: Iterable<IndexedManifest>, count: number, memo: DirectoryMemo): Promise<void> {
    this.#known = new Map()
    if (this.#stale * 50 <= count) return
    await writeIndex(this.path, entries(manifests, memo))
    this.#stale = 0
  }
}

function* entries(manifests: Iterable<IndexedManifest>, memo: DirectoryMemo): Generator<IndexEntry> {
  for (const { path, fingerprint, manifest } of manifests) yield ['package', path, fingerprint, manifest]
  for (const [path, { inode, modifiedMs, changedMs, names }] of memo.entries()) {
    yield ['folder', path, inode, modifiedMs, changedMs, names]
  }
}
