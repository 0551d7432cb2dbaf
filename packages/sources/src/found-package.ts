import { join, posix } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { FoundPackage, ManifestSummary, RecalledPackage, StagedPackage } from '@backplane/kernel'
import { arrivalIn } from './arrival.ts'
import { sourceErrors } from './errors.ts'
import type { Dialect, DialectCandidate } from './dialect.ts'
import type { LimitFunction } from 'p-limit'
import { attestationsIn, noAttestations, readAttestations } from './attestations.ts'
import { manifestIn } from './manifest-in.ts'
import type { ManifestText } from './manifest-index.ts'
import type { PackageStore } from './package-store.ts'
import { readTree, type PackageTree } from './read-tree.ts'
import { lookAtPackage, type LookOptions, type TreeLook } from './tree-look.ts'

/** A package in files, as it was listed. */
export interface PackageFacts {
  /** Absolute. */
  readonly path: string
  readonly kind: 'folder' | 'file'
  readonly manifestPath: string
  readonly fingerprint: string
  /** Overrides the manifest's. */
  readonly main?: string | undefined
  readonly adapter?: string | undefined
}

/** What staging needs beside the package. */
export interface Stager extends LookOptions {
  readonly store: PackageStore
  /** Bounds the memory of packages staged at once. */
  readonly gate: LimitFunction
  /** Who made manifests of packages that have none. */
  readonly dialects?: readonly Dialect[]
}

/** A package in files as the kernel sees it; `stage` brings into the store what was listed, or fails with `SOURCE_CHANGED`. */
export class FilePackage implements FoundPackage {
  readonly #facts: PackageFacts
  readonly #stager: Stager
  readonly #text: ManifestText | undefined
  #manifest: unknown
  summary: ManifestSummary | undefined

  private constructor(facts: PackageFacts, stager: Stager, text: ManifestText | undefined) {
    this.#facts = facts
    this.#stager = stager
    this.#text = text
  }

  static read(manifest: unknown, facts: PackageFacts, stager: Stager): FilePackage {
    const found = new FilePackage(facts, stager, undefined)
    found.#manifest = manifest
    return found
  }

  /** Of whose manifest there is a text, which is parsed when it is needed. */
  static remembered(text: ManifestText, summary: ManifestSummary, facts: PackageFacts, stager: Stager): FilePackage {
    const found = new FilePackage(facts, stager, text)
    found.summary = summary
    return found
  }

  get manifest(): unknown {
    if (this.#manifest === undefined && this.#text !== undefined) {
      const { bytes, offset, length } = this.#text
      this.#manifest = JSON.parse(bytes.toString('utf8', offset, offset + length))
    }
    return this.#manifest
  }

  get manifestText(): ManifestText {
    if (this.#text !== undefined) return this.#text
    const bytes = Buffer.from(JSON.stringify(this.#manifest))
    return { bytes, offset: 0, length: bytes.length }
  }

  get path(): string {
    return this.#facts.path
  }

  get manifestPath(): string {
    return this.#facts.manifestPath
  }

  get fingerprint(): string {
    return this.#facts.fingerprint
  }

  stage(signal: AbortSignal): Promise<StagedPackage> {
    return this.#stager.gate(() => this.#stage(signal))
  }

  async #stage(signal: AbortSignal): Promise<StagedPackage> {
    signal.throwIfAborted()
    const { path, kind, main: given, adapter } = this.#facts
    const look = this.#lookAsListed()
    const main = posix.normalize(given ?? mainOf(this.manifest))
    if (look.exceeded === undefined && !look.entries.some((entry) => entry.path === main)) {
      throw sourceErrors.error('SOURCE_ENTRY_MISSING', { path, main })
    }
    const tree = await readTree(look, signal)
    this.#lookAsListed()
    const own = ownManifest(tree, path)
    // what is accepted and approved is a listed manifest, which may have been remembered in a file
    if (own !== undefined && !isDeepStrictEqual(own.manifest, this.manifest)) throw sourceErrors.error('SOURCE_CHANGED', { path })
    const place = { main, ...(adapter === undefined ? {} : { adapter }) }
    const attestations = kind === 'folder' ? await readAttestations(path, this.#stager.limits) : noAttestations
    const said = attestations.length === 0 ? {} : { attestations }
    const owner = { plugin: idOf(this.manifest) ?? path, facts: said }
    const { directory, isWhole, release } = await this.#stager.store.put(owner, tree, signal)
    await using unused = new AsyncDisposableStack()
    unused.defer(release)
    if (own === undefined) await this.#checkTranslation(directory, tree, { main, adapter })
    unused.move()
    return { digest: tree.digest, code: { kind: 'files', directory, ...place }, isWhole, release, ...said }
  }

  /** What was listed is what a dialect makes of the very bytes that were staged. Errors: `SOURCE_CHANGED`. */
  async #checkTranslation(directory: string, tree: PackageTree, place: Pick<ToldManifest, 'main' | 'adapter'>): Promise<void> {
    const told = await translatedManifest(this.#stager.dialects, directory, tree)
    if (isDeepStrictEqual(told, { manifest: this.manifest, ...place })) return
    throw sourceErrors.error('SOURCE_CHANGED', { path: this.#facts.path })
  }

  #lookAsListed(): TreeLook {
    const { path, kind, fingerprint } = this.#facts
    const look = lookAtPackage(path, kind, { limits: this.#stager.limits, ignore: this.#stager.ignore })
    if (look?.fingerprint !== fingerprint) throw sourceErrors.error('SOURCE_CHANGED', { path })
    return look
  }
}

/**
 * A package that was staged before, from what the store keeps of it; undefined when that is gone. What it says of itself is in
 * its tree, which the digest covers; of a package without a manifest, what the dialects make of that tree.
 */
export async function recallPackage(
  store: PackageStore,
  digest: string,
  signal: AbortSignal,
  dialects: readonly Dialect[] = [],
): Promise<RecalledPackage | undefined> {
  const entry = await store.recall(digest, signal)
  if (entry === undefined) return undefined
  const { directory, facts, tree, isWhole, release } = entry
  await using unused = new AsyncDisposableStack()
  unused.defer(release)
  const told = ownManifest(tree, directory) ?? (await translatedManifest(dialects, directory, tree))
  if (told === undefined || !tree.files.some(({ path }) => path === told.main)) return undefined
  const { manifest, main, adapter } = told
  unused.move()
  const code = { kind: 'files', directory, main, ...(adapter === undefined ? {} : { adapter }) } as const
  const attestations = attestationsIn(facts)
  const arrival = arrivalIn(facts)
  const said = {
    ...(attestations.length === 0 ? {} : { attestations }),
    ...(arrival === undefined ? {} : { arrival }),
  }
  return { manifest, staged: { digest, code, isWhole, release, ...said } }
}

interface ToldManifest {
  readonly manifest: unknown
  /** Path in the package. */
  readonly main: string
  readonly adapter: string | undefined
}

/** What a package says of itself; undefined when it has no manifest. Errors: `SOURCE_MANIFEST_INVALID`. */
function ownManifest({ files }: PackageTree, place: string): ToldManifest | undefined {
  if (!files.some(({ path }) => path === 'plugin.json')) return undefined
  const manifest = manifestIn(files, place)
  return { manifest, main: posix.normalize(mainOf(manifest)), adapter: undefined }
}

/** Asked of the bytes in the store, which nobody else writes; a dialect that breaks on them says nothing. */
async function translatedManifest(
  dialects: readonly Dialect[] = [],
  directory: string,
  { files }: PackageTree,
): Promise<ToldManifest | undefined> {
  const [first, ...others] = files
  const candidates: DialectCandidate[] = [{ path: directory, kind: 'folder' }]
  if (first !== undefined && others.length === 0) candidates.push({ path: join(directory, first.path), kind: 'file' })
  for (const candidate of candidates) {
    for (const dialect of dialects) {
      const read = await dialect.read(candidate).catch(() => undefined)
      if (read !== undefined) return { manifest: read.manifest, main: posix.normalize(read.main), adapter: read.adapter }
    }
  }
  return undefined
}

function mainOf(manifest: unknown): string {
  return textOf(manifest, 'main') ?? 'index.js'
}

function idOf(manifest: unknown): string | undefined {
  return textOf(manifest, 'id')
}

function textOf(manifest: unknown, key: string): string | undefined {
  const value: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, key) : undefined
  return typeof value === 'string' ? value : undefined
}
