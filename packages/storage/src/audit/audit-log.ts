import { constants, existsSync } from 'node:fs'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import type { AuditEntry, AuditPage, AuditQuery, AuditRecord, AuditReport, AuditTrail } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { storageErrors } from '../errors.ts'
import { placeGuard } from '../place-guard.ts'
import { redacted, stamped } from './audit-entry.ts'
import { chainStart, nextRecord, type ChainPlace } from './audit-chain.ts'
import { auditFilePath, auditFiles, syncDirectory } from './audit-files.ts'
import { headText, readHead, type AuditHead, type AuditHeadPlace } from './audit-head.ts'
import { auditPage } from './audit-page.ts'
import { findTail } from './audit-tail.ts'
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
    if (tail.found !== undefined) log.note({ ...byHost, ...tail.found, subject: 'audit log', outcome: 'noted' })
    options.onAnchor?.(tail.last)
    return log
  } catch (error) {
    throw unwritable(error)
  }
}

const byHost = { actor: { kind: 'host', name: 'host' } } as const

interface Waiting {
  readonly entry: AuditEntry
  readonly done: PromiseWithResolvers<AuditRecord> | undefined
  /** Only tries whether writing works again. */
  readonly isProbe?: true
}

interface OpenFile {
  readonly path: string
  readonly handle: FileHandle
  readonly inPlace: () => void
  sizeBytes: number
}

class FileAuditLog implements AuditLog {
  readonly #options: AuditLogOptions
  #from: ChainPlace
  #last: ChainPlace
  #resume: { readonly path: string; readonly sizeBytes: number } | undefined
  #file: OpenFile | undefined
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #verifying: Promise<AuditReport> | undefined
  /** Entries that nobody waited for and that could not be written. */
  #lost = 0
  #trouble: PlatformError | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: AuditLogOptions, from: ChainPlace, { last, file }: Awaited<ReturnType<typeof findTail>>) {
    this.#options = options
    this.#from = from
    this.#last = last
    this.#resume = file
  }

  get last(): ChainPlace {
    return this.#last
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
    return auditPage(await auditFiles(this.#options.directory), this.#last.seq, query)
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
    await this.#file?.handle.close()
    this.#options.onAnchor?.(this.#last)
  }

  async #verify(): Promise<AuditReport> {
    await this.#writing
    const [head, from] = [this.#last, this.#from]
    const files = await auditFiles(this.#options.directory)
    return verifyAudit(files, { key: this.#options.key, head, from, until: head.seq })
  }

  #push(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined))
  }

  async #writeAll(): Promise<void> {
    // Whatever else this turn of the event loop has to say goes with it.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce)
      const { seq } = this.#last
      try {
        const records = await this.#write(this.#lost === 0 ? batch : [this.#gap(), ...batch])
        for (const [at, { done }] of batch.toReversed().entries()) done?.resolve(records[records.length - 1 - at] as AuditRecord)
        if (this.#trouble !== undefined) this.#setTrouble(undefined)
      } catch (error) {
        const failure = unwritable(error)
        if (this.#last.seq === seq)
          this.#lost += batch.filter(({ done, isProbe }) => done === undefined && isProbe === undefined).length
        if (this.#trouble === undefined) this.#setTrouble(failure)
        for (const { done } of batch) done?.reject(failure)
        this.#tryLater()
      }
    }
  }

  #tryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      if (this.#closed || this.#trouble === undefined) return
      this.#push(probe())
    }, this.#options.retryMs ?? 2_000).unref()
  }

  #gap(): Waiting {
    const reason = `${this.#lost} entries could not be written and are lost`
    return { entry: { ...byHost, action: 'audit.gap', subject: 'audit log', outcome: 'noted', reason }, done: undefined }
  }

  /** All of them or none: what was written of them is cut off again, and the chain goes on where it was. */
  async #write(batch: readonly Waiting[]): Promise<readonly AuditRecord[]> {
    const records: AuditRecord[] = []
    const lines: string[] = []
    const { key, redact = (text: string) => text } = this.#options
    let place = this.#last
    for (const { entry } of batch) {
      const { record, line } = nextRecord(redacted(entry, redact), place, key)
      place = { seq: record.seq, digest: record.digest }
      records.push(record)
      lines.push(line)
    }
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    const file = await this.#fileFor(bytes.length)
    try {
      await writeWhole(file, bytes)
    } catch (error) {
      await file.handle.truncate(file.sizeBytes).catch(() => undefined)
      throw error
    }
    file.sizeBytes += bytes.length
    this.#last = place
    this.#lost = 0
    // From here on the records are there; without the head nobody is told that they are, and it is told the next time.
    await this.#options.head.save(headText({ from: this.#from, last: place }, key))
    return records
  }

  async #fileFor(bytes: number): Promise<OpenFile> {
    const { maxFileBytes = 16 * 1024 ** 2 } = this.#options
    const file =
      this.#file ?? (this.#resume === undefined ? undefined : await this.#open(this.#resume.path, this.#resume.sizeBytes))
    const isSound = file !== undefined && (await this.#isAsLeft(file))
    if (isSound && (file.sizeBytes === 0 || file.sizeBytes + bytes <= maxFileBytes)) return file
    if (file !== undefined) {
      this.#file = undefined
      this.#resume = undefined
      await file.handle.close()
      this.#options.onAnchor?.(this.#last)
      if (isSound) await this.#prune()
      else this.#noteFirst(file.path)
    }
    return this.#open(auditFilePath(this.#options.directory, this.#last.seq + 1), 0)
  }

  /** Not replaced, not cut and not added to by anybody else since the last write. */
  async #isAsLeft({ handle, inPlace, sizeBytes }: OpenFile): Promise<boolean> {
    try {
      inPlace()
    } catch (error) {
      // Gone with the whole directory it is no file that was tampered with, and comes back with it.
      if (!existsSync(this.#options.directory)) throw error
      return false
    }
    const { size } = await handle.stat()
    // A write that failed may have left something that could not be cut off then.
    const isLeftover = size > sizeBytes && this.#trouble !== undefined
    if (isLeftover) await handle.truncate(sizeBytes)
    return isLeftover || size === sizeBytes
  }

  #noteFirst(path: string): void {
    const reason = `${path} was changed by somebody else while it was in use`
    this.#waiting.push({
      entry: { ...byHost, action: 'audit.broken', subject: 'audit log', outcome: 'noted', reason },
      done: undefined,
    })
  }

  async #open(path: string, sizeBytes: number): Promise<OpenFile> {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
    const handle = await open(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600)
    await syncDirectory(this.#options.directory)
    this.#file = { path, handle, inPlace: placeGuard(path), sizeBytes }
    this.#resume = undefined
    return this.#file
  }

  /** What is taken away is said by the head, so that it does not look as if somebody else had. */
  async #prune(): Promise<void> {
    const files = await auditFiles(this.#options.directory)
    const old = files.slice(0, Math.max(0, files.length + 1 - (this.#options.keepFiles ?? 64)))
    const kept = files[old.length]
    if (old.length === 0) return
    const head: AuditHead = { from: await this.#before(kept?.first ?? this.#last.seq + 1), last: this.#last }
    await this.#options.head.save(headText(head, this.#options.key))
    this.#from = head.from
    for (const { path } of old) await rm(path)
    const reason = `records before ${head.from.seq + 1} were removed: more than audit.keep_files files`
    this.#waiting.push({
      entry: { ...byHost, action: 'audit.pruned', subject: 'audit log', outcome: 'noted', reason },
      done: undefined,
    })
  }

  async #before(first: number): Promise<ChainPlace> {
    if (first > this.#last.seq) return this.#last
    const { records } = await auditPage(await auditFiles(this.#options.directory), this.#last.seq, { after: first - 1, limit: 1 })
    return { seq: first - 1, digest: records[0]?.prev ?? chainStart.digest }
  }

  #setTrouble(trouble: PlatformError | undefined): void {
    this.#trouble = trouble
    this.#options.onTrouble?.(trouble)
  }
}

function probe(): Waiting {
  const entry = { ...byHost, action: 'audit.resumed', subject: 'audit log', outcome: 'noted' } as const
  return { entry: stamped(entry), done: undefined, isProbe: true }
}

/** Entries in one write. */
const mostAtOnce = 500

async function writeWhole({ handle }: OpenFile, bytes: Uint8Array): Promise<void> {
  let written = 0
  while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten
  await handle.datasync()
}

function unwritable(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError && thrown.code.startsWith('AUDIT_')) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return storageErrors.error('AUDIT_UNWRITABLE', { reason }, { cause: thrown })
}
