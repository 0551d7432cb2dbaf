import { dirname } from 'node:path'
import type { PermissionUse, UseVerb } from '../permission-use.ts'

/** Different things kept of one permission. */
const mostSeen = 64
/** Longest text that is kept, UTF-16 units; of a longer path its directory is. */
const longestSeen = 256

/** Counts the uses of one permission. However many there are, and of however many things, it stays small. */
export class UseEntry {
  #count = 0
  #firstMs = 0
  #lastMs = 0
  #by: PermissionUse['by'] = 'host'
  #isWhole = true
  readonly #seen = new Set<string>()

  /** One that goes on from what was kept. */
  static of({ count, firstMs, lastMs, by, seen, isWhole }: PermissionUse): UseEntry {
    const entry = new UseEntry()
    entry.#count = count
    entry.#firstMs = firstMs
    entry.#lastMs = lastMs
    entry.#by = by
    entry.#isWhole = isWhole
    for (const what of seen.slice(0, mostSeen)) entry.#seen.add(what.slice(0, longestSeen))
    return entry
  }

  /** Undefined before the first use. */
  get use(): PermissionUse | undefined {
    if (this.#count === 0) return undefined
    const seen = [...this.#seen].sort()
    return { count: this.#count, firstMs: this.#firstMs, lastMs: this.#lastMs, by: this.#by, seen, isWhole: this.#isWhole }
  }

  note(by: PermissionUse['by'], nowMs: number): void {
    if (this.#count === 0) this.#firstMs = nowMs
    this.#count += 1
    this.#lastMs = nowMs
    this.#by = by
  }

  /** What exactly was used. */
  see(verb: UseVerb, what: string): void {
    if (this.#seen.has(what)) return
    const isPath = verb === 'fs:read' || verb === 'fs:write'
    const short = isPath ? shortPath(what) : what
    if (short.length > longestSeen) this.#isWhole = false
    else if (this.#isWhole && this.#seen.size < mostSeen) this.#seen.add(short)
    else {
      this.#isWhole = false
      if (isPath) this.#gather(short)
    }
    if (short !== what) this.#isWhole = false
  }

  /** Of more paths than are kept, the directory that holds them all. */
  #gather(path: string): void {
    const common = [...this.#seen].reduce(commonDirectory, path)
    this.#seen.clear()
    this.#seen.add(common)
  }
}

function shortPath(path: string): string {
  let short = path
  while (short.length > longestSeen) short = dirname(short)
  return short
}

/** The innermost directory that holds both; one of them, where it holds the other. */
export function commonDirectory(one: string, other: string): string {
  let common = one
  while (common !== '/' && other !== common && !other.startsWith(`${common}/`)) common = dirname(common)
  return common
}
