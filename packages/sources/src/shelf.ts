import type { Clock, FoundPackage, ManifestSummary, SourceListing, SourceProblem } from '@backplane/kernel'
import { contentState } from './content-state.ts'
import type { DialectClaims } from './dialect-claims.ts'
import { DirectoryMemo } from './directory-memo.ts'
import { discover, type Discovery, type KnownPlace, type Place } from './discover.ts'
import { sourceErrors } from './errors.ts'
import { FilePackage, type Stager } from './found-package.ts'
import pLimit from 'p-limit'
import type { ManifestCache } from './manifest-cache.ts'
import { stampOf, type FileStamp } from './file-stamp.ts'
import type { IndexedPackage } from './manifest-index.ts'
import { byVersion } from './precedence.ts'
import { readPlace, type PackageReading } from './read-place.ts'
import { gone, Settling, type LookTime } from './settling.ts'
import { timeSlice } from './time-slice.ts'

/** What a shelf is made of. */
export interface ShelfOptions {
  /** Absolute, in order of precedence. */
  readonly roots: readonly string[]
  readonly stager: Stager
  readonly claims: DialectClaims
  readonly depth: number
  readonly settleMs: number
  readonly clock: Clock
  readonly cache: ManifestCache | undefined
}

/** A package at rest: what was read from it when it looked like `fingerprint`. */
interface Shelved {
  readonly fingerprint: string
  readonly root: number
  readonly reading: PackageReading
  /** Of its `plugin.json`, when it has one. */
  readonly stamp: FileStamp | undefined
}

/** After this long a new package that never came to rest is reported. */
const unsettledMs = 5_000

/** The packages of some plugin directories, each in the state in which it last came to rest. */
export class Shelf {
  readonly #options: ShelfOptions
  readonly #settling: Settling
  readonly #memo: DirectoryMemo
  readonly #shelved = new Map<string, Shelved>()
  readonly #reads = pLimit(4)
  #problems: readonly SourceProblem[] = []
  #folders: readonly string[] = []
  #searched: readonly string[] = []
  #isFirst = true
  /** Packages that the index does not have as they are. */
  #stale = 0
  #indexProblem: SourceProblem | undefined
  #revision = 0
  #turn: Promise<void> = Promise.resolve()

  constructor(options: ShelfOptions) {
    this.#options = options
    this.#settling = new Settling(options.settleMs)
    this.#memo = new DirectoryMemo(options.settleMs)
  }

  /** Grows when {@link listing} would answer differently. */
  get revision(): number {
    return this.#revision
  }

  /** Whether nothing was changing at the last look. */
  get isAtRest(): boolean {
    return this.#settling.isAtRest
  }

  /** Every folder whose change matters. */
  get folders(): readonly string[] {
    return this.#folders
  }

  async listing(): Promise<SourceListing> {
    const problems = [...this.#problems]
    const roots: FoundPackage[][] = this.#options.roots.map(() => [])
    for (const { root, reading } of this.#shelved.values()) {
      if (reading.kind === 'package') roots[root]?.push(reading.found)
      else problems.push(reading.problem)
    }
    return { packages: (await Promise.all(roots.map((packages) => byVersion(packages)))).flat(), problems }
  }

  /** Looks at everything once; looks follow one another. */
  look(signal: AbortSignal): Promise<void> {
    const look = this.#turn.then(() => this.#look(signal))
    this.#turn = look.catch(() => {})
    return look
  }

  async #look(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { roots, stager, claims, depth, clock, cache } = this.#options
    if (this.#isFirst) await cache?.restore(this.#memo)
    const fromMs = clock.now()
    const { limits, ignore, store } = stager
    const { names } = this.#memo
    const known = this.#isFirst ? cache?.get : undefined
    const discovery = await discover(roots, { limits, ignore, names, known, claims, depth, storeDirectory: store.directory })
    for (const place of discovery.known) this.#shelveKnown(place)
    const changed = await this.#changed(discovery.places)
    const states = await Promise.all(changed.map((place) => this.#reads(() => contentState(place.look, signal))))
    const time = { fromMs, untilMs: clock.now() }
    for (const [at, place] of changed.entries()) {
      if (this.#settling.observe(place.path, states[at] ?? '', time)) this.#shelve(place)
    }
    this.#takeDown(discovery, time)
    this.#memo.endLook()
    claims.endLook()
    this.#folders = discovery.folders
    this.#searched = discovery.searched
    this.#isFirst = false
    cache?.forget()
    this.#report([...discovery.problems, ...this.#unsettled(fromMs)])
  }

  /**
   * Places that are not as shelved. At the first look, one in which nothing has changed for `settleMs` by the file
   * system's own times is at rest; later ones are looked at twice.
   */
  async #changed(places: readonly Place[]): Promise<readonly Place[]> {
    const changed: Place[] = []
    const breathe = timeSlice()
    for (const place of places) {
      const pause = breathe()
      if (pause !== undefined) await pause
      if (this.#shelved.get(place.path)?.fingerprint === place.look.fingerprint) this.#settling.forget(place.path)
      else if (this.#isFirst && Date.now() - place.look.changedMs >= this.#settling.settleMs) this.#shelve(place)
      else changed.push(place)
    }
    return changed
  }

  #shelve(place: Place): void {
    const { path, root, look } = place
    const { fingerprint } = look
    const manifest = place.dialect === undefined ? look.entries.find((entry) => entry.path === 'plugin.json') : undefined
    const stamp = manifest === undefined ? undefined : stampOf(manifest)
    this.#shelved.set(path, { fingerprint, root, reading: readPlace(place, this.#options.stager), stamp })
    this.#stale += 1
    this.#revision += 1
  }

  #shelveKnown({ path, root, known }: KnownPlace): void {
    const { fingerprint, stamp, summary, text } = known
    const facts = { path, kind: 'folder', manifestPath: `${path}/plugin.json`, fingerprint } as const
    const found = FilePackage.remembered(text, summary, facts, this.#options.stager)
    this.#shelved.set(path, { fingerprint, root, reading: { kind: 'package', found }, stamp })
    this.#revision += 1
  }

  /** Takes down what has been gone at two looks; what lies in a folder that cannot be read stays as it was. */
  #takeDown({ places, known, blind }: Discovery, time: LookTime): void {
    const there = new Set([...places, ...known].map((place) => place.path))
    const isMissing = (path: string): boolean => {
      return !there.has(path) && !blind.some((folder) => path === folder || path.startsWith(`${folder}/`))
    }
    for (const path of this.#settling.paths) {
      if (isMissing(path) && !this.#shelved.has(path)) this.#settling.forget(path)
    }
    for (const path of [...this.#shelved.keys()].filter(isMissing)) {
      if (!this.#settling.observe(path, gone, time)) continue
      this.#shelved.delete(path)
      this.#revision += 1
    }
  }

  #unsettled(nowMs: number): readonly SourceProblem[] {
    const isStuck = (path: string): boolean => {
      return !this.#shelved.has(path) && this.#settling.changingMs(path, nowMs) >= unsettledMs
    }
    return this.#settling.paths.filter(isStuck).map((path) => {
      return { path, error: sourceErrors.error('SOURCE_UNSETTLED', { path, seconds: unsettledMs / 1_000 }).toJSON() }
    })
  }

  #report(found: readonly SourceProblem[]): void {
    const problems = this.#indexProblem === undefined ? found : [...found, this.#indexProblem]
    if (JSON.stringify(problems) === JSON.stringify(this.#problems)) return
    this.#problems = problems
    this.#revision += 1
  }

  /**
   * Writes the index when more than one in fifty of its entries is out of date; the others are just read again. It only
   * saves time: not being able to write it is a problem to show, not one to fail for.
   */
  async remember(summaries: ReadonlyMap<FoundPackage, ManifestSummary>): Promise<void> {
    const { cache } = this.#options
    for (const [found, summary] of summaries) {
      if (!(found instanceof FilePackage)) continue
      // what the index has of it was made under other rules
      if (found.summary !== undefined) this.#stale += 1
      found.summary = summary
    }
    if (cache === undefined || this.#stale * 50 <= this.#shelved.size) return
    const stale = this.#stale
    this.#stale = 0
    try {
      await cache.write(
        () => this.#indexed(),
        () => this.#memo.entries(this.#searched),
      )
      this.#indexProblem = undefined
    } catch (cause) {
      this.#stale += stale
      const reason = cause instanceof Error ? cause.message : String(cause)
      const error = sourceErrors.error('SOURCE_STORE_FAILED', { path: cache.path, reason }, { cause })
      this.#indexProblem = { path: cache.path, error: error.toJSON() }
    }
  }

  *#indexed(): Generator<readonly [string, IndexedPackage]> {
    for (const [path, { fingerprint, reading, stamp }] of this.#shelved) {
      if (reading.kind !== 'package' || stamp === undefined) continue
      const { summary, manifestText: text } = reading.found
      if (summary !== undefined) yield [path, { fingerprint, stamp, summary, text }]
    }
  }
}
