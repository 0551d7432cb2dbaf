import { createPublicKey, hash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { defaultTrustLimits, openJson, readPolicy, signJson, type Advisory } from '@backplane/trust'
import { prerelease, rcompare } from 'semver'
import { defaultArchiveLimits, type ArchiveLimits } from '../../archive/archive-limits.ts'
import { readAtMost } from '../../archive/read-at-most.ts'
import { sourceErrors } from '../../errors.ts'
import { oneAtATime } from '../../lock/one-at-a-time.ts'
import { messageOf } from '../../message-of.ts'
import { replaceFile } from '../../replace-file.ts'
import { jsonIn } from '../download-json.ts'
import { indexedRelease } from './indexed-release.ts'
import { checkedPath, indexPayloadType, readIndexDocument, readIndexedPlugin } from './index-format.ts'
import type { IndexDocument, IndexedPlugin, IndexEntry, IndexFile } from './index-format.ts'

/** Who signs an index, and for how long. */
export interface IndexWriting {
  /** Private keys, PEM, PKCS #8. One of them must have signed what is there already. */
  readonly keys: readonly string[]
  /** Readers refuse what is older; write it again, with or without packages, before that. ms. Default 30 days. */
  readonly validForMs?: number
  /** Default: the system's clock. ms since the epoch. */
  readonly nowMs?: number
  /** In the place of all that are there; without, those stay. */
  readonly advisories?: readonly Advisory[]
  /** Why a version should not be taken any more, by `acme/s3@1.2.3`. */
  readonly deprecated?: Readonly<Record<string, string>>
  readonly archiveLimits?: Partial<ArchiveLimits>
  readonly signal: AbortSignal
}

/** What was written. */
export interface WrittenIndex {
  readonly version: number
  readonly expires: string
  /** `acme/s3@1.2.3` of what came new. */
  readonly added: readonly string[]
}

const day = 24 * 60 * 60_000
const mostBytes = 64 * 1024 * 1024

/**
 * Adds archives (paths of `.tgz` and `.zip`) to the index in a folder, or begins one, and signs it anew. `index.json` is
 * written last, by one rename, and other files are never changed but come under new names, so that a reader, or a kill at any
 * moment, meets the index before or the one after. What is there is held against its signature first: who can only write to
 * the folder gets nothing signed. Errors: those of archives, `INDEX_TAKEN`, `INDEX_UNSIGNED`, `INDEX_INVALID`, `FETCH_CHANGED`,
 * `SOURCE_STORE_FAILED`, `LOCK_BUSY`, `TRUST_KEY_INVALID`, `TRUST_POLICY_INVALID` for advisories that are none.
 */
export async function writeIndex(folder: string, archives: readonly string[], writing: IndexWriting): Promise<WrittenIndex> {
  return oneAtATime(join(folder, '.index'), () => new IndexWriter(folder, writing).write(archives), writing.signal)
}

class IndexWriter {
  readonly #folder: string
  readonly #writing: IndexWriting
  readonly #nowMs: number
  /** Public halves of the keys. */
  readonly #own: readonly string[]

  constructor(folder: string, writing: IndexWriting) {
    this.#folder = folder
    this.#writing = writing
    this.#nowMs = writing.nowMs ?? Date.now()
    const own = writing.keys.map((key) => publicKeyOf(key))
    // nothing is written with keys that cannot sign
    openJson(signJson(indexPayloadType, {}, writing.keys), indexPayloadType, own)
    this.#own = own
  }

  async write(archives: readonly string[]): Promise<WrittenIndex> {
    const { keys, validForMs = 30 * day } = this.#writing
    const before = await this.#readBefore()
    const version = (before?.version ?? 0) + 1
    const changed = await this.#pluginsToChange(before)
    const added: string[] = []
    for (const path of archives) {
      const name = await this.#add(path, before, changed)
      if (name !== undefined) added.push(name)
    }
    const plugins: Record<string, IndexEntry> = { ...before?.plugins }
    for (const plugin of changed.values()) plugins[plugin.id] = await this.#writePlugin(plugin, version)
    const advisories = await this.#writeAdvisories(before, version)
    const issued = new Date(this.#nowMs).toISOString()
    const expires = new Date(this.#nowMs + validForMs).toISOString()
    const document: IndexDocument = { version, issued, expires, plugins, advisories }
    readIndexDocument(structuredClone(document), this.#place('index.json'))
    await this.#put('index.json', `${JSON.stringify(signJson(indexPayloadType, document, keys), undefined, 2)}\n`)
    await this.#tidy(before, document)
    return { version, expires, added }
  }

  /** Errors: `INDEX_UNSIGNED`, `INDEX_INVALID`. */
  async #readBefore(): Promise<IndexDocument | undefined> {
    const place = this.#place('index.json')
    const text = await readFile(place).catch((error: unknown) => {
      if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return undefined
    const limits = { ...defaultTrustLimits, payloadBytes: mostBytes }
    const { value, signers } = openJson(jsonIn(text, place), indexPayloadType, this.#own, limits)
    if (signers === 0) throw sourceErrors.error('INDEX_UNSIGNED', { place, count: 0, threshold: 1 })
    return readIndexDocument(value, place)
  }

  /** Of what is deprecated now; others are read when a package comes for them. */
  async #pluginsToChange(before: IndexDocument | undefined): Promise<Map<string, IndexedPlugin>> {
    const changed = new Map<string, IndexedPlugin>()
    for (const [name, reason] of Object.entries(this.#writing.deprecated ?? {})) {
      const [id = '', version = ''] = name.split('@')
      const plugin = changed.get(id) ?? (await this.#readPlugin(id, before))
      const known = plugin.versions[version]
      if (known === undefined) throw sourceErrors.error('INDEX_INVALID', { place: this.#folder, problem: `it has no ${name}` })
      changed.set(id, { id, versions: { ...plugin.versions, [version]: { ...known, deprecated: reason } } })
    }
    return changed
  }

  /** Its `id@version` when it is new. */
  async #add(path: string, before: IndexDocument | undefined, changed: Map<string, IndexedPlugin>): Promise<string | undefined> {
    const { archiveLimits: limits = {}, signal } = this.#writing
    const bytes = await readAtMost(path, limits.archiveBytes ?? defaultArchiveLimits.archiveBytes, signal)
    const publishedAt = new Date(this.#nowMs).toISOString()
    const { id, version, archive, listed } = await indexedRelease(bytes, { place: path, publishedAt, limits, signal })
    const plugin = changed.get(id) ?? (await this.#readPlugin(id, before))
    const known = plugin.versions[version]
    if (known !== undefined && known.digest !== listed.digest) {
      throw sourceErrors.error('INDEX_TAKEN', { plugin: id, version }, { plugin: id })
    }
    await this.#put(checkedPath(archive, this.#folder), bytes)
    if (known !== undefined) return undefined
    changed.set(id, { id, versions: { ...plugin.versions, [version]: listed } })
    return `${id}@${version}`
  }

  /** Errors: `FETCH_CHANGED` when it is not what was signed. */
  async #readPlugin(id: string, before: IndexDocument | undefined): Promise<IndexedPlugin> {
    const entry = before !== undefined && Object.hasOwn(before.plugins, id) ? before.plugins[id] : undefined
    if (entry === undefined) return { id, versions: {} }
    const place = this.#place(checkedPath(entry.path, this.#folder))
    const bytes = await readAtMost(place, mostBytes, this.#writing.signal)
    if (digestOf(bytes) !== entry.digest) {
      throw sourceErrors.error('FETCH_CHANGED', { place, problem: 'its digest is another than was signed' })
    }
    return readIndexedPlugin(jsonIn(bytes, place), id, place)
  }

  async #writePlugin(plugin: IndexedPlugin, version: number): Promise<IndexEntry> {
    const latest = latestOf(plugin)
    const { description, tags } = plugin.versions[latest] ?? {}
    const file = await this.#putJson(`plugins/${plugin.id}.${version}.json`, plugin)
    return { ...file, latest, ...(description === undefined ? {} : { description }), ...(tags === undefined ? {} : { tags }) }
  }

  async #writeAdvisories(before: IndexDocument | undefined, version: number): Promise<IndexFile> {
    const { advisories } = this.#writing
    if (advisories === undefined && before !== undefined) return before.advisories
    const checked = readPolicy({ advisories: advisories ?? [] }).advisories
    return this.#putJson(`advisories.${version}.json`, { advisories: checked })
  }

  async #putJson(path: string, value: unknown): Promise<IndexFile> {
    const text = `${JSON.stringify(value, undefined, 2)}\n`
    await this.#put(path, text)
    return { path, digest: digestOf(Buffer.from(text)) }
  }

  async #put(path: string, contents: string | Uint8Array): Promise<void> {
    const place = this.#place(path)
    await replaceFile(place, contents).catch((error: unknown) => {
      throw sourceErrors.error('SOURCE_STORE_FAILED', { path: place, reason: messageOf(error) }, { cause: error })
    })
  }

  /** Removes what neither this index names nor the one before, which somebody may be reading. What stays only takes room. */
  async #tidy(before: IndexDocument | undefined, now: IndexDocument): Promise<void> {
    const named = new Set([before, now].flatMap((one) => (one === undefined ? [] : filesOf(one))))
    const written = /^(?:advisories|plugins\/[a-z0-9-]+\/[a-z0-9-]+)\.\d+\.json$/
    const names = await readdir(this.#folder, { recursive: true })
    const old = names.map((name) => name.replaceAll(sep, '/')).filter((name) => written.test(name) && !named.has(name))
    await Promise.all(old.map((name) => rm(this.#place(name), { force: true }).catch(() => {})))
  }

  #place(path: string): string {
    return join(this.#folder, path)
  }
}

/** Errors: `TRUST_KEY_INVALID`. */
function publicKeyOf(privateKey: string): string {
  signJson(indexPayloadType, {}, [privateKey])
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })
}

/** The newest that is no pre-release and not deprecated; failing that, the newest. */
function latestOf({ versions }: IndexedPlugin): string {
  const inOrder = Object.keys(versions).sort(rcompare)
  const isGood = (version: string): boolean => prerelease(version) === null && versions[version]?.deprecated === undefined
  return inOrder.find(isGood) ?? inOrder[0] ?? ''
}

function filesOf({ plugins, advisories }: IndexDocument): readonly string[] {
  return [advisories.path, ...Object.values(plugins).map(({ path }) => path)]
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes)}`
}
