import type { Clock, FoundPackage, SourceListing, SourceProblem } from '@backplane/kernel'
import { contentState } from './content-state.ts'
import type { DialectClaims } from './dialect-claims.ts'
import { DirectoryMemo } from './directory-memo.ts'
import { discover, type Discovery, type Place } from './discover.ts'
import { sourceErrors } from './errors.ts'
import type { Stager } from './found-package.ts'
import { Gate } from './gate.ts'
import type { ManifestCache } from './manifest-cache.ts'
import type { IndexedManifest } from './manifest-index.ts'
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
}

/** After this long a new package that never came to rest is reported. */
const unsettledMs = 5_000

/** The packages of some plugin directories, each in the state in which it last came to rest. */
export class Shelf {
  readonly #options: ShelfOptions
  readonly #settling: Settling
  readonly #memo: DirectoryMemo
  readonly #shelved = new Map<string, Shelved>()
  readonly #reads = new Gate(4)
  #problems: readonly SourceProblem[] = []
  #folders: readonly string[] = []
  #isFirst = true
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
    const discovery = await discover(roots, { limits, ignore, names, claims, depth, storeDirectory: store.directory })
    const changed = await this.#changed(discovery.places)
    const states = await Promise.all(changed.map((place) => this.#reads.run(() => contentState(place.look, signal))))
    const time = { fromMs, untilMs: clock.now() }
    for (const [at, place] of changed.entries()) {
      if (this.#settling.observe(place.path, states[at] ?? '', time)) this.#shelve(place)
    }
    this.#takeDown(discovery, time)
    this.#memo.endLook()
    claims.endLook()
    this.#folders = discovery.folders
    this.#isFirst = false
    this.#report([...discovery.problems, ...this.#unsettled(fromMs), ...(await this.#save())])
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
    const { path, root } = place
    const { fingerprint } = place.look
    const known = place.dialect === undefined ? this.#options.cache?.get(path, fingerprint) : undefined
    this.#shelved.set(path, { fingerprint, root, reading: readPlace(place, this.#options.stager, known) })
    this.#revision += 1
  }

  /** Takes down what has been gone at two looks; what lies in a folder that cannot be read stays as it was. */
  #takeDown({ places, blind }: Discovery, time: LookTime): void {
    const there = new Set(places.map((place) => place.path))
    const isMissing = (path: string): boolean => {
      return !there.has(path) && !blind.some((folder) => path === folder || path.startsWith(`${folder}/`))
    }
    for (const path of this.#settling.paths) {
      if (isMissing(path) && !this.#shelved.has(path)) this.#settling.forget(path)
    }
    for (const path of [...this.#shelved.keys()].filter(isMissing)) {
      if (!this.#settling.observe(path, gone, time)) continue
      this.#shelved.delete(path)
      this.#options.cache?.removed()
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

  #report(problems: readonly SourceProblem[]): void {
    if (JSON.stringify(problems) === JSON.stringify(this.#problems)) return
    this.#problems = problems
    this.#revision += 1
  }

  /** The index only saves time: not being able to write it is a problem to show, not one to fail for. */
  async #save(): Promise<readonly SourceProblem[]> {
    const { cache } = this.#options
    if (cache === undefined) return []
    try {
      await cache.save(this.#manifests(), this.#shelved.size, this.#memo)
      return []
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const error = sourceErrors.error('SOURCE_STORE_FAILED', { path: cache.path, reason }, { cause })
      return [{ path: cache.path, error: error.toJSON() }]
    }
  }

  *#manifests(): Generator<IndexedManifest> {
    for (const [path, { fingerprint, reading }] of this.#shelved) {
      if (reading.kind !== 'package' || reading.found.manifestPath === path) continue
      yield { path, fingerprint, manifest: reading.found.manifest }
    }
  }
}
