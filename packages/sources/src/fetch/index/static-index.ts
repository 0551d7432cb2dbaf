import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PlatformError } from '@backplane/sdk'
import { defaultTrustLimits, openJson, readPolicy, type Advisory } from '@backplane/trust'
import { readAtMost } from '../../archive/read-at-most.ts'
import { sourceErrors } from '../../errors.ts'
import { messageOf } from '../../message-of.ts'
import { digestAside } from '../digest-aside.ts'
import { jsonIn } from '../download-json.ts'
import { homeOf, refused, shownUrl, type FetchHome, type HomeOptions } from '../fetch-home.ts'
import type { FetchOptions } from '../fetcher.ts'
import { guardedDownload, type Downloading } from '../guarded-download.ts'
import { checkedPath, checkEnvelopeText, indexPayloadType, readIndexDocument, readIndexedPlugin } from './index-format.ts'
import type { IndexDocument, IndexedPlugin, IndexEntry, IndexFile } from './index-format.ts'
import type { IndexCopies, IndexCopy } from './index-copies.ts'
import type { IndexMemory } from './index-memory.ts'

/** An index, and who must have signed it. */
export interface IndexOptions extends Omit<HomeOptions, 'alsoFrom'> {
  /** PEM of those who may sign `index.json`. */
  readonly keys: readonly string[]
  /** How many of them must have. Default 1. */
  readonly threshold?: number
}

/** What all indexes of a fetcher share. */
export interface IndexReading extends Downloading {
  readonly memory: IndexMemory
  readonly copies: IndexCopies
  /** ms since the epoch. */
  readonly now: () => number
  /** `index.json`, and each other file but archives, bytes. */
  readonly fileBytes: number
  /** How long what was read counts as what is there, ms. */
  readonly freshMs: number
}

/** One index: a folder of files that only its signed `index.json` makes worth anything. */
export class StaticIndex {
  readonly name: string
  readonly #options: IndexOptions
  readonly #reading: IndexReading
  readonly #base: URL
  /** Undefined for a folder. */
  readonly #home: FetchHome | undefined
  #known: { readonly document: IndexDocument; readonly readAtMs: number } | undefined

  constructor(name: string, options: IndexOptions, reading: IndexReading) {
    this.name = name
    this.#options = options
    this.#reading = reading
    this.#home = options.url.startsWith('file:') ? undefined : homeOf(options)
    this.#base = this.#home?.url ?? folderAt(options.url)
  }

  /**
   * What is signed now, or was `freshMs` ago. Errors: `INDEX_UNSIGNED`, `INDEX_EXPIRED`, `INDEX_ROLLED_BACK`, `INDEX_INVALID`, those of
   * {@link guardedDownload}.
   */
  async document(options: FetchOptions, freshMs: number = this.#reading.freshMs): Promise<IndexDocument> {
    const { now } = this.#reading
    const known = this.#known
    if (known !== undefined && now() < Math.min(known.readAtMs + freshMs, Date.parse(known.document.expires)))
      return known.document
    const document = await this.#verified(options)
    this.#known = { document, readAtMs: now() }
    return document
  }

  /** Everything about one plugin. Errors: also `FETCH_CHANGED`, `INDEX_PATH_ESCAPES`. */
  async plugin(id: string, entry: IndexEntry, options: FetchOptions): Promise<IndexedPlugin> {
    return readIndexedPlugin(await this.#json(entry, options), id, this.#placeOf(entry.path))
  }

  /**
   * What is signed now with what it warns of, which is kept for when it cannot be read. Errors: as of {@link plugin},
   * `INDEX_MEMORY_INVALID`, `SOURCE_STORE_FAILED`.
   */
  async refresh(options: FetchOptions, freshMs?: number): Promise<IndexCopy> {
    const { copies } = this.#reading
    const document = await this.document(options, freshMs)
    const kept = await copies.recall(this.name)
    if (kept?.document.version === document.version) return kept
    const copy = { document, advisories: await this.#advisories(document.advisories, options) }
    await copies.keep(this.name, copy)
    return copy
  }

  /** What it said when it could last be read; undefined when it never could. Errors: `INDEX_MEMORY_INVALID`. */
  copy(): Promise<IndexCopy | undefined> {
    return this.#reading.copies.recall(this.name)
  }

  async #advisories(file: IndexFile, options: FetchOptions): Promise<readonly Advisory[]> {
    const value = await this.#json(file, options)
    try {
      return readPolicy({ advisories: Reflect.get(Object(value), 'advisories') as unknown }).advisories ?? []
    } catch (error) {
      throw sourceErrors.error('INDEX_INVALID', { place: this.#placeOf(file.path), problem: messageOf(error) }, { cause: error })
    }
  }

  /** Bytes of a file of the index. Errors: `FETCH_NOT_FOUND`, `FETCH_TOO_LARGE`, `FETCH_CHANGED`, `INDEX_PATH_ESCAPES`. */
  async bytes({ path, digest }: IndexFile, mostBytes: number, options: FetchOptions): Promise<Uint8Array> {
    const bytes = await this.#read(checkedPath(path, this.name), mostBytes, options)
    if (`sha256:${(await digestAside('SHA-256', bytes)).toString('hex')}` === digest) return bytes
    throw sourceErrors.error('FETCH_CHANGED', { place: this.#placeOf(path), problem: 'its digest is another than was signed' })
  }

  async #json(file: IndexFile, options: FetchOptions): Promise<unknown> {
    return jsonIn(await this.bytes(file, this.#reading.fileBytes, options), this.#placeOf(file.path))
  }

  async #verified(options: FetchOptions): Promise<IndexDocument> {
    const { memory, now, fileBytes } = this.#reading
    const place = this.#placeOf('index.json')
    const bytes = await this.#read('index.json', fileBytes, options)
    checkEnvelopeText(bytes, place)
    const envelope = jsonIn(bytes, place)
    const document = readIndexDocument(this.#opened(envelope, place), place)
    const { version, issued, expires } = document
    const seen = await memory.recall(this.name)
    if (version < seen.version) throw sourceErrors.error('INDEX_ROLLED_BACK', { place, version, known: seen.version })
    const issuedMs = Math.max(seen.issuedMs, Date.parse(issued))
    if (!(Math.max(now(), issuedMs) < Date.parse(expires))) throw sourceErrors.error('INDEX_EXPIRED', { place, expires })
    if (version > seen.version) await memory.remember(this.name, { version, issuedMs }, options.signal)
    return document
  }

  #opened(envelope: unknown, place: string): unknown {
    const { keys, threshold = 1 } = this.#options
    const limits = { ...defaultTrustLimits, payloadBytes: this.#reading.fileBytes }
    let opened: ReturnType<typeof openJson>
    try {
      opened = openJson(envelope, indexPayloadType, keys, limits)
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'TRUST_ENVELOPE_INVALID') throw error
      throw sourceErrors.error('INDEX_INVALID', { place, problem: error.message }, { cause: error })
    }
    const needed = Number.isInteger(threshold) && threshold >= 1 ? threshold : Infinity
    if (opened.signers >= needed) return opened.value
    throw sourceErrors.error('INDEX_UNSIGNED', { place, count: opened.signers, threshold: needed })
  }

  async #read(path: string, mostBytes: number, options: FetchOptions): Promise<Uint8Array> {
    if (this.#home !== undefined) {
      const wanted = { url: new URL(path, this.#base), mostBytes, type: 'any' } as const
      return (await guardedDownload(this.#home, wanted, options, this.#reading)).bytes
    }
    const file = join(fileURLToPath(this.#base), path)
    try {
      return await readAtMost(file, mostBytes, options.signal)
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      if (error.code === 'ARCHIVE_TOO_LARGE')
        throw sourceErrors.error('FETCH_TOO_LARGE', { place: file, limit: `${mostBytes} bytes` })
      throw sourceErrors.error('FETCH_NOT_FOUND', { reference: file, reason: error.message }, { cause: error })
    }
  }

  #placeOf(path: string): string {
    return `${shownUrl(this.#base)}${path}`
  }
}

/** Errors: `FETCH_ADDRESS_REFUSED`. */
function folderAt(text: string): URL {
  const url = new URL(text.endsWith('/') ? text : `${text}/`)
  const isPlain = `${url.host}${url.search}${url.hash}` === '' && !/%(?:2f|00)/i.test(url.pathname)
  if (isPlain && text.startsWith('file:///')) return url
  throw refused(text, 'it is no folder of this machine: write file:/// and its path')
}
