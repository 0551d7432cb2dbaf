import type { DirectoryMemo, RememberedNames } from './directory-memo.ts'
import { hasStamp } from './file-stamp.ts'
import { readIndex, writeIndex, type IndexedPackage } from './manifest-index.ts'

/** The manifest index of one source: what it knew at the start, and when it is worth writing again. */
export class ManifestCache {
  readonly path: string
  #known: ReadonlyMap<string, IndexedPackage> = new Map()
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.path = path
  }

  async restore(memo: DirectoryMemo): Promise<void> {
    const index = await readIndex(this.path)
    if (index === undefined) return
    this.#known = index.packages
    memo.restore(index.folders)
  }

  /** The package at `path`, when its manifest is as it was. Costs one stat. */
  readonly get = (path: string): IndexedPackage | undefined => {
    const known = this.#known.get(path)
    return known !== undefined && hasStamp(`${path}/plugin.json`, known.stamp) ? known : undefined
  }

  /** What was known at the start has served its purpose. */
  forget(): void {
    this.#known = new Map()
  }

  /** Writes the index anew; writes follow one another. */
  write(
    packages: () => Iterable<readonly [string, IndexedPackage]>,
    folders: () => Iterable<readonly [string, RememberedNames]>,
  ): Promise<void> {
    const write = this.#writing.then(() => writeIndex(this.path, packages(), folders()))
    this.#writing = write.catch(() => {})
    return write
  }
}
