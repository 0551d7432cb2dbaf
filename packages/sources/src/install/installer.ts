import { PlatformError, type Manifest } from '@backplane/sdk'
import { sourceErrors } from '../errors.ts'
import type { FetchedPackage, Fetcher, FetchOptions } from '../fetch/fetcher.ts'
import { recallPackage } from '../found-package.ts'
import { arrivalIn, cameIn, factsOf } from '../arrival.ts'
import { attestationsIn } from '../attestations.ts'
import { artifactFor, thisPlatform } from '../lock/installed.ts'
import { inOrder, type PermissionAnswers } from '../admission/grants-file.ts'
import { installedStore } from '../lock/installed-store.ts'
import { readLock, writeLock, type LockedArtifact, type LockedPlugin, type LockFile } from '../lock/lock-file.ts'
import { oneAtATime } from '../lock/one-at-a-time.ts'
import type { PackageStore, StoredPackage } from '../package-store.ts'
import { manifestIn } from '../manifest-in.ts'
import { askVerdict, subjectOf, type Judging } from './ask-verdict.ts'
import { bundleFetchers } from '../bundle/bundle-fetchers.ts'
import type { BundleLimits } from '../bundle/bundle-format.ts'
import type { Bundle } from '../bundle/open-bundle.ts'
import { writeBundle } from '../bundle/write-bundle.ts'
import { carriedApprovals } from './carried-approvals.ts'
import type { Change, Plan, PutStep } from './plan.ts'
import { isStrange, lockedPlugin, makePlan, type PlanContext } from './make-plan.ts'

/** What an installer works on, and whom it asks. */
export interface InstallerOptions extends Judging {
  /** `backplane.lock`. */
  readonly lock: string
  /** As for {@link installed}. */
  readonly store: string
  readonly fetchers: readonly Fetcher[]
  /** A manifest as the host accepts it; throws a coded error. */
  readonly acceptManifest: (manifest: unknown, path: string) => Manifest
  /** Whether what a manifest says of a package's files can be so; throws a coded error. */
  readonly checkPackage?: (
    manifest: Manifest,
    paths: ReadonlySet<string>,
    check?: { /** Whether the verdict took it; default true. */ readonly isTrusted: boolean },
  ) => Promise<void>
  /** SemVer of the API the host offers. */
  readonly hostApi: string
  /** Where a dependency is fetched from, by its id: `npm:@acme/s3`; undefined when nobody knows. */
  readonly referenceOf?: (id: string) => string | undefined
  readonly platform?: string
}

/** What was approved, by plugin id: permissions as the manifest writes them. */
export type Approvals = Readonly<Record<string, readonly string[]>>

/** What is wrong with an installed plugin. */
export interface InstalledProblem {
  readonly id: string
  readonly version: string
  readonly digest: string
}

/** What came of fetching what was missing: ids, and why some are missing still. */
export interface RestoreReport {
  readonly restored: readonly string[]
  readonly failed: readonly { readonly id: string; readonly error: PlatformError }[]
}

/**
 * Changes what is installed: looks for versions, fetches, asks the verdict, asks for approval, stores, and writes the lock,
 * which is the one step that makes it so. Killed at any moment, the old lock or the new one holds and the store has what it
 * names; what was stored for nothing is collected.
 */
export class Installer {
  readonly #options: InstallerOptions
  readonly #store: PackageStore
  readonly #platform: string

  constructor(options: InstallerOptions) {
    this.#options = options
    this.#store = installedStore(options)
    this.#platform = options.platform ?? thisPlatform
  }

  /** What is installed, as the lock says. Errors: those of {@link readLock}. */
  async lock(): Promise<LockFile> {
    return (await readLock(this.#options.lock)).lock
  }

  /**
   * Looks at a package before anybody asks for it to be installed: what it says of itself has to be so. What else keeps it out is told by
   * a plan. Errors: those of `acceptManifest` and `checkPackage`.
   */
  async inspect(fetched: FetchedPackage, place: string, signal: AbortSignal): Promise<Manifest> {
    const { acceptManifest, checkPackage, judge } = this.#options
    const { files } = fetched.tree
    const manifest = acceptManifest(manifestIn(files, place), `plugin.json of ${place}`)
    const isTrusted = judge(await subjectOf({}, manifest, { fetched, signal })).ok
    await checkPackage?.(manifest, new Set(files.map(({ path }) => path)), { isTrusted })
    return manifest
  }

  /**
   * What these changes come to; nothing is written. `withheld` is kept from plugins that come, by id, and so needs no approval; what
   * the lock withholds stays withheld. Errors: those of fetchers and archives, `INSTALL_REFUSED`,
   * `INSTALL_NOT_LOCKED`, `INSTALL_NEEDED`, `INSTALL_CONFLICT`, `INSTALL_WRONG_ID`, `INSTALL_NO_FETCHER`.
   */
  async plan(changes: readonly Change[], options: FetchOptions, withheld: Approvals = {}): Promise<Plan> {
    const { lock, etag } = await readLock(this.#options.lock)
    // asked for by everything that looks at what is there already
    const manifests = new Map<LockedPlugin, Promise<Manifest | undefined>>()
    const manifestOf: PlanContext['manifestOf'] = (id, plugin) => {
      const manifest = manifests.get(plugin) ?? this.#manifestOf(id, plugin)
      manifests.set(plugin, manifest)
      return manifest
    }
    // Choosing asks for them one after the other; waiting for a disk is better done for all at once.
    await Promise.allSettled(Object.entries(lock.plugins).map(([id, plugin]) => manifestOf(id, plugin)))
    return makePlan({ ...this.#options, platform: this.#platform, lock, etag, manifestOf, withheld }, changes, options)
  }

  /**
   * Does what a plan says. Every permission that nobody approved before must be in `approvals`; none is taken for granted, and
   * the verdict is asked again. Errors: `LOCK_CHANGED`, `LOCK_BUSY`, `INSTALL_UNAPPROVED`, `INSTALL_REFUSED`, those of the store.
   */
  async apply(plan: Plan, approvals: Approvals, { signal, onProgress }: FetchOptions): Promise<LockFile> {
    const puts = plan.steps.filter((step): step is PutStep => step.kind !== 'remove')
    return oneAtATime(
      this.#options.lock,
      async () => {
        const { lock, etag } = await readLock(this.#options.lock)
        if (etag !== plan.etag) throw sourceErrors.error('LOCK_CHANGED', { path: this.#options.lock })
        const strange = puts.filter(({ id, fetched, verdict }) => isStrange(fetched, verdict.publisher, lock.plugins[id]))
        const known = without(lock.plugins, new Set(strange.map(({ id }) => id)))
        checkApproved(plan.lock.plugins, known, approvals)
        for (const { subject } of puts) askVerdict(this.#options, subject)
        await using stored = new AsyncDisposableStack()
        for (const [at, step] of puts.entries()) {
          onProgress?.({ done: at, total: puts.length, phase: `storing ${step.id}` })
          const { release } = await this.#put(step.manifest, step.fetched, signal)
          // kept until the lock names it
          stored.defer(release)
        }
        await writeLock(this.#options.lock, plan.lock, plan.etag)
        return plan.lock
      },
      signal,
    )
  }

  /**
   * As {@link restoreEach}; answers the ids that were fetched. Errors: the first of what failed, once all others were fetched.
   */
  async restore(options: FetchOptions): Promise<readonly string[]> {
    const { restored, failed } = await this.restoreEach(options)
    if (failed[0] !== undefined) throw failed[0].error
    return restored
  }

  /**
   * Fetches what the lock names and the store lacks, from exactly where the lock says: for a fresh machine, or a damaged
   * store; of all plugins, or only of some. What cannot be had hides no other: those of fetchers, `FETCH_CHANGED`, `INSTALL_REFUSED`, and
   * `INSTALL_NOT_STORED` when what is there is not what was locked, are in the report.
   */
  async restoreEach(options: FetchOptions, only?: ReadonlySet<string>): Promise<RestoreReport> {
    const problems = (await this.verify(options.signal)).filter(({ id }) => only?.has(id) !== false)
    const { plugins } = await this.lock()
    const restored: string[] = []
    const failed: { readonly id: string; readonly error: PlatformError }[] = []
    for (const [at, { id }] of problems.entries()) {
      const plugin = plugins[id]
      const artifact = plugin === undefined ? undefined : artifactFor(plugin, this.#platform)
      if (plugin === undefined || artifact === undefined) continue
      options.onProgress?.({ done: at, total: problems.length, phase: `fetching ${id}` })
      try {
        await this.#fetchAgain(id, plugin.version, artifact, options)
        restored.push(id)
      } catch (error) {
        options.signal.throwIfAborted()
        if (!(error instanceof PlatformError)) throw error
        failed.push({ id, error })
      }
    }
    return { restored, failed }
  }

  async #fetchAgain(id: string, version: string, artifact: LockedArtifact, options: FetchOptions): Promise<void> {
    const fetched = await this.#fetcher(artifact.place.kind, id).fetch(artifact.place, options)
    const manifest = this.#options.acceptManifest(manifestIn(fetched.tree.files, id), id)
    const isLocked = fetched.tree.digest === artifact.digest && cameIn(artifact, fetched)
    if (!isLocked || manifest.id !== id || manifest.version !== version) {
      throw sourceErrors.error('INSTALL_NOT_STORED', { plugin: id, version, digest: artifact.digest }, { plugin: id })
    }
    const subject = await subjectOf(this.#options, manifest, { fetched, signal: options.signal })
    askVerdict(this.#options, { ...subject, locked: artifact })
    const { release } = await this.#put(manifest, fetched, options.signal)
    await release()
  }

  /** One that has what a bundle holds and fetches nothing else; and the changes that install all of it. */
  from(bundle: Bundle): { readonly installer: Installer; readonly changes: readonly Change[] } {
    const { changes, fetchers, referenceOf } = bundleFetchers(bundle, this.#platform)
    return { installer: new Installer({ ...this.#options, fetchers, referenceOf }), changes }
  }

  /**
   * Everything that the lock names in one file, for machines without a network; see {@link writeBundle}. What came in an archive is
   * fetched again, as the store keeps no archives. Errors: those of fetchers, `FETCH_CHANGED`, `BUNDLE_TOO_LARGE`.
   */
  async bundle(options: FetchOptions, limits: Partial<BundleLimits> = {}): Promise<Uint8Array> {
    const lock = await this.lock()
    const packageFor: Parameters<typeof writeBundle>[0]['packageFor'] = async (id, artifact, platform, fetching) =>
      (await this.#stored(artifact, fetching.signal)) ??
      this.#fetcher(artifact.place.kind, id).fetch(artifact.place, { ...fetching, platform, keepArchive: true })
    return writeBundle({ lock, packageFor, limits }, options)
  }

  /** A package that came in no archive, from the store. */
  async #stored({ place, archive, digest }: LockedArtifact, signal: AbortSignal): Promise<FetchedPackage | undefined> {
    const entry = archive === undefined ? await this.#store.recall(digest, signal) : undefined
    if (entry === undefined) return undefined
    const { tree, facts, release } = entry
    await release()
    return { place, tree, manifest: manifestIn(tree.files, place.kind), attestations: attestationsIn(facts) }
  }

  /** Hashes what is installed again; answers what is missing or is not what the lock says. */
  async verify(signal: AbortSignal): Promise<readonly InstalledProblem[]> {
    const { plugins } = await this.lock()
    const problems: InstalledProblem[] = []
    for (const [id, plugin] of Object.entries(plugins)) {
      const artifact = artifactFor(plugin, this.#platform)
      if (artifact === undefined) continue
      const { digest } = artifact
      const glimpse = await this.#store.glimpse(id, digest)
      const recalled = cameIn(artifact, arrivalIn(glimpse?.facts)) ? await recallPackage(this.#store, digest, signal) : undefined
      if (recalled === undefined) problems.push({ id, version: plugin.version, digest })
      else await recalled.staged.release?.()
    }
    return problems
  }

  /**
   * Answers to what is installed and asks for permissions: `permitted` is told what was answered up to now and says what is to be.
   * What is withheld is not approved. Errors: `INSTALL_NOT_LOCKED`, `INSTALL_NOT_ASKED`, `LOCK_BUSY`.
   */
  async permit(
    id: string,
    permitted: (answers: PermissionAnswers) => PermissionAnswers,
    signal: AbortSignal,
  ): Promise<LockedPlugin> {
    return oneAtATime(
      this.#options.lock,
      async () => {
        const { lock, etag } = await readLock(this.#options.lock)
        const plugin = lockedPlugin(lock.plugins, id)
        const { withheld: kept = [], ...rest } = plugin
        const { approved, withheld } = inOrder(permitted({ approved: plugin.permissions, withheld: kept }))
        await this.#checkAsked(id, plugin, [...approved, ...withheld])
        const changed = { ...rest, permissions: approved, ...(withheld.length === 0 ? {} : { withheld }) }
        await writeLock(this.#options.lock, { ...lock, plugins: { ...lock.plugins, [id]: changed } }, etag)
        return changed
      },
      signal,
    )
  }

  /** Removes what of the store nobody needs: not the lock, nobody who runs it, and not to go back to. Answers how many went. */
  collect(): Promise<number> {
    return this.#store.collect()
  }

  async #checkAsked(id: string, plugin: LockedPlugin, permissions: readonly string[]): Promise<void> {
    const asked = (await this.#manifestOf(id, plugin))?.permissions ?? []
    const known = new Set([...asked, ...plugin.permissions, ...(plugin.withheld ?? [])])
    const unasked = permissions.filter((each) => !known.has(each))
    if (unasked.length === 0) return
    const parameters = { plugin: id, version: plugin.version, permissions: unasked.join(', ') }
    throw sourceErrors.error('INSTALL_NOT_ASKED', parameters, { plugin: id })
  }

  /** Undefined when the store has lost it. */
  async #manifestOf(id: string, plugin: LockedPlugin): Promise<Manifest | undefined> {
    const glimpse = await this.#store.glimpse(id, artifactFor(plugin, this.#platform)?.digest ?? '')
    return glimpse === undefined ? undefined : this.#options.acceptManifest(glimpse.manifest, id)
  }

  #put({ id }: Manifest, fetched: FetchedPackage, signal: AbortSignal): Promise<StoredPackage> {
    return this.#store.put({ plugin: id, facts: factsOf(fetched) }, fetched.tree, signal)
  }

  #fetcher(kind: Fetcher['kind'], reference: string): Fetcher {
    const fetcher = this.#options.fetchers.find((known) => known.kind === kind)
    if (fetcher !== undefined) return fetcher
    const kinds = this.#options.fetchers.map((known) => known.kind).join(', ')
    throw sourceErrors.error('INSTALL_NO_FETCHER', { reference: `${kind}: ${reference}`, kinds })
  }
}

function without(plugins: LockFile['plugins'], ids: ReadonlySet<string>): LockFile['plugins'] {
  return Object.fromEntries(Object.entries(plugins).filter(([id]) => !ids.has(id)))
}

/** No permission gets into a lock but one that was there, or is approved now. Errors: `INSTALL_UNAPPROVED`. */
function checkApproved(next: LockFile['plugins'], before: LockFile['plugins'], approvals: Approvals): void {
  for (const [id, plugin] of Object.entries(next)) {
    const carried = carriedApprovals(before[id], plugin)
    const approved = new Set([...carried, ...(approvals[id] ?? [])])
    const missing = plugin.permissions.filter((permission) => !approved.has(permission))
    if (missing.length === 0) continue
    const parameters = { plugin: id, version: plugin.version, permissions: missing.join(', ') }
    throw sourceErrors.error('INSTALL_UNAPPROVED', parameters, { plugin: id, details: { permissions: missing } })
  }
}
