import { lstatSync, statSync, type Stats } from 'node:fs'
import { basename, matchesGlob, relative } from 'node:path'
import type { SourceProblem } from '@backplane/kernel'
import type { DialectAnswer, DialectClaims } from './dialect-claims.ts'
import { sourceErrors } from './errors.ts'
import type { IndexedPackage } from './manifest-index.ts'
import { timeSlice } from './time-slice.ts'
import { lookAtFile, lookAtFolder, type LookOptions, type TreeLook } from './tree-look.ts'

/** A package as one stat pass found it; its manifest has not been read. */
export interface Place {
  /** Absolute. */
  readonly path: string
  readonly kind: 'folder' | 'file'
  /** Index of the plugin directory it lies in. */
  readonly root: number
  readonly look: TreeLook
  /** Undefined for a folder with a `plugin.json`. */
  readonly dialect: DialectAnswer | undefined
}

/** A package whose manifest is as the index has it; nothing else of it was looked at. */
export interface KnownPlace {
  readonly path: string
  readonly root: number
  readonly known: IndexedPackage
}

/** Everything one look over the plugin directories found. */
export interface Discovery {
  readonly places: readonly Place[]
  readonly known: readonly KnownPlace[]
  readonly problems: readonly SourceProblem[]
  /** Folders that are there but could not be read: nothing can be said of what is in them. */
  readonly blind: readonly string[]
  /** Folders that are no packages and in which packages were looked for. */
  readonly searched: readonly string[]
  /** Every folder that matters, plugin directories first. */
  readonly folders: readonly string[]
}

/** How to discover. */
export interface DiscoverOptions extends LookOptions {
  readonly names: (path: string, stats: Stats) => readonly string[]
  /** The package at a path, when it need not be looked at further. */
  readonly known: ((path: string) => IndexedPackage | undefined) | undefined
  readonly claims: DialectClaims
  /** Folders below a plugin directory that are searched. */
  readonly depth: number
  /** Absolute: the folder that holds staged packages, which are not found again. */
  readonly storeDirectory: string
}

const modulePattern = /\.(?:js|mjs|cjs|ts)$/
const dialectMarks: ReadonlySet<string> = new Set([
  'package.json',
  ...['index', 'main'].flatMap((name) => [`${name}.js`, `${name}.mjs`, `${name}.cjs`, `${name}.ts`]),
])

/** Finds the packages in `roots`. A root that does not exist is empty. */
export async function discover(roots: readonly string[], options: DiscoverOptions): Promise<Discovery> {
  const search = new Search(options)
  for (const [root, path] of roots.entries()) await search.root(path, root)
  return search.found()
}

class Search {
  readonly #options: DiscoverOptions
  readonly #places: Place[] = []
  readonly #known: KnownPlace[] = []
  readonly #problems: SourceProblem[] = []
  readonly #blind: string[] = []
  readonly #folders: string[] = []
  readonly #packageFolders: string[] = []
  readonly #breathe = timeSlice()
  #root = ''
  #rootIndex = 0

  constructor(options: DiscoverOptions) {
    this.#options = options
  }

  found(): Discovery {
    const folders = [...this.#folders, ...this.#packageFolders]
    return {
      places: this.#places,
      known: this.#known,
      problems: this.#problems,
      blind: this.#blind,
      searched: this.#folders,
      folders,
    }
  }

  /** The operator may have named a link; below it none is followed. */
  async root(path: string, index: number): Promise<void> {
    this.#root = path
    this.#rootIndex = index
    let stats: Stats | undefined
    try {
      stats = statSync(path, { throwIfNoEntry: false })
    } catch (error) {
      this.#unreadable(path, error)
    }
    if (stats === undefined) return
    if (stats.isDirectory()) await this.#folder(path, stats, 0, false)
    else this.#problem(path, sourceErrors.error('SOURCE_UNREADABLE', { path, reason: 'not a folder' }))
  }

  async #folder(path: string, stats: Stats, depth: number, inPackage: boolean): Promise<void> {
    let names: readonly string[]
    try {
      names = this.#options.names(path, stats)
    } catch (error) {
      this.#unreadable(path, error)
      return
    }
    if (names.includes('plugin.json')) return this.#place(path, 'folder', lookAtFolder(path, stats, this.#options), undefined)
    if (depth > 0 && (await this.#isClaimed(path, stats, names))) return undefined
    this.#folders.push(path)
    const own = inPackage || (depth > 0 && this.#isLikePackage(names))
    for (const name of names) {
      const pause = this.#breathe()
      if (pause !== undefined) await pause
      if (name !== 'node_modules') await this.#child(`${path}/${name}`, depth, own)
    }
    return undefined
  }

  /** `inPackage`: it lies in a folder that is laid out as a package, whose modules are parts of it. */
  async #child(path: string, depth: number, inPackage: boolean): Promise<void> {
    if (path === this.#options.storeDirectory || this.#isIgnored(path)) return
    const known = this.#options.known?.(path)
    if (known !== undefined) {
      this.#known.push({ path, root: this.#rootIndex, known })
      return
    }
    let stats: Stats | undefined
    try {
      stats = lstatSync(path, { throwIfNoEntry: false })
    } catch (error) {
      this.#unreadable(path, error)
    }
    if (stats === undefined) return
    if (stats.isDirectory()) {
      if (depth < this.#options.depth) await this.#folder(path, stats, depth + 1, inPackage)
      else this.#problem(path, sourceErrors.error('SOURCE_TOO_DEEP', { path, depth: this.#options.depth }))
    } else if (stats.isSymbolicLink()) {
      if (couldBePackage(path)) this.#problem(path, sourceErrors.error('SOURCE_LINK_SKIPPED', { path }))
    } else if (!inPackage && stats.isFile() && modulePattern.test(path) && !this.#options.claims.isEmpty) {
      await this.#claim(path, 'file', lookAtFile(path, stats, this.#options))
    }
  }

  #isLikePackage(names: readonly string[]): boolean {
    return names.some((name) => dialectMarks.has(name) || this.#options.claims.marks.has(name))
  }

  async #isClaimed(path: string, stats: Stats, names: readonly string[]): Promise<boolean> {
    if (this.#options.claims.isEmpty || !this.#isLikePackage(names)) return false
    return this.#claim(path, 'folder', lookAtFolder(path, stats, this.#options))
  }

  async #claim(path: string, kind: 'folder' | 'file', look: TreeLook): Promise<boolean> {
    const answer = await this.#options.claims.ask({ path, kind }, look.fingerprint)
    if (answer.kind === 'not-mine') return false
    this.#place(path, kind, look, answer)
    return true
  }

  #place(path: string, kind: 'folder' | 'file', look: TreeLook, dialect: DialectAnswer | undefined): void {
    this.#places.push({ path, kind, root: this.#rootIndex, look, dialect })
    this.#packageFolders.push(...look.folders)
  }

  #isIgnored(path: string): boolean {
    return this.#options.ignore.some((glob) => matchesGlob(relative(this.#root, path), glob))
  }

  #unreadable(path: string, error: unknown): void {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return
    this.#blind.push(path)
    this.#problem(path, sourceErrors.error('SOURCE_UNREADABLE', { path, reason: String(code) }, { cause: error }))
  }

  #problem(path: string, error: ReturnType<typeof sourceErrors.error>): void {
    this.#problems.push({ path, error: error.toJSON() })
  }
}

/** Whether a folder with these names is laid out as one package, whoever's it is. */
/** Whether a link points at something that would be listed if it lay here. */
function couldBePackage(link: string): boolean {
  try {
    return statSync(link).isDirectory() || modulePattern.test(basename(link))
  } catch {
    return false
  }
}
