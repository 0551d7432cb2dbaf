import { readdirSync, type Stats } from 'node:fs'

/** The names in one folder, valid while the folder itself is unchanged. */
export interface RememberedNames {
  readonly inode: number
  readonly modifiedMs: number
  readonly changedMs: number
  /** Sorted by code unit; names that begin with a dot are not among them. */
  readonly names: readonly string[]
}

/**
 * Remembers what folders contain, so that looking again costs one stat per folder. A folder's times change whenever a
 * name in it does; a folder that changed less than `settleMs` before it was read is not remembered, because a second
 * change could carry the same time.
 */
export class DirectoryMemo {
  readonly #settleMs: number
  #known = new Map<string, RememberedNames>()
  #used = new Map<string, RememberedNames>()

  constructor(settleMs: number) {
    this.#settleMs = settleMs
  }

  /** Names in the folder at `path`, whose fresh stat is `stats`. Throws the system's error when it cannot be read. */
  readonly names = (path: string, stats: Stats): readonly string[] => {
    const known = this.#used.get(path) ?? this.#known.get(path)
    if (known !== undefined && isSame(known, stats)) {
      this.#used.set(path, known)
      return known.names
    }
    const names = readNames(path)
    if (Date.now() - Math.max(stats.ctimeMs, stats.mtimeMs) >= this.#settleMs) {
      this.#used.set(path, { inode: stats.ino, modifiedMs: stats.mtimeMs, changedMs: stats.ctimeMs, names })
    }
    return names
  }

  /** Takes over what an earlier process remembered. */
  restore(entries: Iterable<readonly [string, RememberedNames]>): void {
    for (const [path, entry] of entries) this.#known.set(path, entry)
  }

  /** Ends one look over everything: what was not asked for is forgotten. */
  endLook(): void {
    this.#known = this.#used
    this.#used = new Map()
  }

  /** What is remembered of these folders. */
  *entries(paths: readonly string[]): Generator<readonly [string, RememberedNames]> {
    for (const path of paths) {
      const known = this.#known.get(path)
      if (known !== undefined) yield [path, known]
    }
  }
}

/** The visible names in a folder as they are now, sorted by code unit. */
export function readNames(path: string): readonly string[] {
  return readdirSync(path)
    .filter((name) => !name.startsWith('.'))
    .sort()
}

function isSame(known: RememberedNames, stats: Stats): boolean {
  return known.inode === stats.ino && known.modifiedMs === stats.mtimeMs && known.changedMs === stats.ctimeMs
}
