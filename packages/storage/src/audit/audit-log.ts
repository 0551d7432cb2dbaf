import { mkdir } from 'node:fs/promises'
import type { AuditEntry, AuditPage, AuditQuery, AuditRecord, AuditReport, AuditTrail } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { storageErrors } from '../errors.ts'
import { chainStart, type ChainPlace } from './audit-chain.ts'
import { newsOfLog, stamped } from './audit-entry.ts'
import { auditFiles } from './audit-files.ts'
import { readHead, type AuditHeadPlace } from './audit-head.ts'
import { auditPage } from './audit-page.ts'
import { findTail, type AuditTail } from './audit-tail.ts'
import { AuditWriter } from './audit-writer.ts'
import { verifyAudit } from './verify-audit.ts'

/** How an audit log is kept. */
export interface AuditLogOptions {
  /** The log's own, mode 0700; one process at a time writes to it. */
  readonly directory: string
  /** See `auditKey`. */
  readonly key: Uint8Array
  /** Where its end is kept; not below {@link directory}. */
  readonly head: AuditHeadPlace
  /** A new file is begun before one grows beyond this, bytes. Default 16 MiB. */
  readonly maxFileBytes?: number
  /** The newest so many files are kept. Default 64. */
  readonly keepFiles?: number
  /** Entries that wait to be written; more are counted and left out (`note`) or refused (`append`). Default 10 000. */
  readonly maxWaiting?: number
  /** While it cannot be written, how long until that is tried again by itself, ms. Default 2 000. */
  readonly retryMs?: number
  /** Takes the values of secrets out of what is written. */
  readonly redact?: (text: string) => string
  /** Told when writing begins to fail, with the error, and when it works again. */
  readonly onTrouble?: (error: PlatformError | undefined) => void
  /** Told where the log stands when it is opened, when a file is full and when it is closed, to be written down elsewhere. */
  readonly onAnchor?: (place: ChainPlace) => void
}

/** An audit log in files. */
export interface AuditLog extends AuditTrail, AsyncDisposable {
  readonly last: ChainPlace
  /** Why nothing can be written now. */
  readonly trouble: PlatformError | undefined
}

/**
 * Opens (or makes) an audit log: lines of JSON in files that are only appended to, each record with the digest of the one
 * before it and a mark that only who has the key can make. Entries of one moment share one write to the disk. Errors:
 * `AUDIT_UNWRITABLE`, `AUDIT_UNREADABLE`.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { directory, key } = options
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const kept = await options.head.load()
    const head = kept === undefined ? undefined : (readHead(kept, key) ?? 'lost')
    const tail = await findTail(directory, key, head === 'lost' ? 'lost' : head?.last)
    const [oldest] = await auditFiles(directory)
    const from = head === undefined || head === 'lost' ? undefined : head.from
    const log = new FileAuditLog(options, from ?? (oldest === undefined ? tail.last : chainStart), tail)
    if (tail.found !== undefined) log.note(newsOfLog(tail.found.action, tail.found.reason))
    options.onAnchor?.(tail.last)
    return log
  } catch (error) {
    throw unwritable(error)
  }
}

interface Waiting {
  readonly entry: AuditEntry
  readonly done: PromiseWithResolvers<AuditRecord> | undefined
  /** Only tries whether writing works again. */
  readonly isProbe?: true
}

class FileAuditLog implements AuditLog {
  readonly #options: AuditLogOptions
  readonly #writer: AuditWriter
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #verifying: Promise<AuditReport> | undefined
  /** Entries that nobody waited for and that could not be written. */
  #lost = 0
  #trouble: PlatformError | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: AuditLogOptions, from: ChainPlace, tail: AuditTail) {
    this.#options = options
    const onNews = (entry: AuditEntry): void => void this.#waiting.push({ entry, done: undefined })
    this.#writer = new AuditWriter({ ...options, onNews }, from, tail)
  }

  get last(): ChainPlace {
    return this.#writer.last
  }

  get trouble(): PlatformError | undefined {
    return this.#trouble
  }

  async append(entry: AuditEntry): Promise<AuditRecord> {
    if (this.#closed) throw unwritable('it has been closed')
    if (this.#waiting.length >= (this.#options.maxWaiting ?? 10_000)) throw unwritable('too many entries wait')
    const done = Promise.withResolvers<AuditRecord>()
    this.#push({ entry: stamped(entry), done })
    return done.promise
  }

  note(entry: AuditEntry): void {
    if (this.#closed || this.#waiting.length >= (this.#options.maxWaiting ?? 10_000)) this.#lost += 1
    else this.#push({ entry: stamped(entry), done: undefined })
  }

  async page(query: AuditQuery): Promise<AuditPage> {
    await this.#writing
    return auditPage(await auditFiles(this.#options.directory), this.last.seq, query)
  }

  /** One at a time: whoever asks meanwhile gets the same answer. */
  verify(): Promise<AuditReport> {
    this.#verifying ??= this.#verify().finally(() => (this.#verifying = undefined))
    return this.#verifying
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    // The last moment to say that something is missing: the next process knows nothing of it.
    if (this.#lost > 0) this.#push(probe())
    this.#closed = true
    clearTimeout(this.#retry)
    await this.#writing
    await this.#writer.close()
  }

  async #verify(): Promise<AuditReport> {
    await this.#writing
    const { last: head, from } = this.#writer
    const files = await auditFiles(this.#options.directory)
    return verifyAudit(files, { key: this.#options.key, head, from, until: head.seq })
  }

  #push(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // Whatever else this turn of the event loop has to say goes with it.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) await this.#writeBatch(this.#waiting.splice(0, mostAtOnce))
    // In the same step as the last look: what comes later must find that nobody is writing.
    this.#writing = undefined
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const entries = batch.map(({ entry }) => entry)
    const { seq } = this.last
    // More may be lost while these are written: only those that are said now are told.
    const said = this.#lost
    try {
      const records = await this.#writer.write(said === 0 ? entries : [gap(said), ...entries])
      this.#lost -= said
      for (const [at, { done }] of batch.toReversed().entries()) done?.resolve(records[records.length - 1 - at] as AuditRecord)
      if (this.#trouble !== undefined) this.#setTrouble(undefined)
    } catch (error) {
      const failure = unwritable(error)
      // Records that are there, though nobody is told so, are not lost, nor is the number of those before them.
      const unsaid = batch.filter(({ done, isProbe }) => done === undefined && isProbe === undefined)
      this.#lost += this.last.seq === seq ? unsaid.length : -said
      if (this.#trouble === undefined) this.#setTrouble(failure)
      for (const { done } of batch) done?.reject(failure)
      this.#tryLater()
    }
  }

  #tryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      if (this.#closed || this.#trouble === undefined) return
      this.#push(probe())
    }, this.#options.retryMs ?? 2_000).unref()
  }

  #setTrouble(trouble: PlatformError | undefined): void {
    this.#trouble = trouble
    this.#options.onTrouble?.(trouble)
  }
}

function gap(lost: number): AuditEntry {
  return newsOfLog('audit.gap', `${lost} entries could not be written and are lost`)
}

function probe(): Waiting {
  return { entry: stamped(newsOfLog('audit.resumed')), done: undefined, isProbe: true }
}

/** Entries in one write. */
const mostAtOnce = 500

function unwritable(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError && thrown.code.startsWith('AUDIT_')) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return storageErrors.error('AUDIT_UNWRITABLE', { reason }, { cause: thrown })
}
