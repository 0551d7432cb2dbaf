import { constants, existsSync } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import type { AuditEntry, AuditRecord } from '@backplane/kernel'
import { placeGuard } from '../place-guard.ts'
import { chainStart, nextRecord, type ChainPlace } from './audit-chain.ts'
import { newsOfLog, redacted } from './audit-entry.ts'
import { auditFilePath, auditFiles, syncDirectory } from './audit-files.ts'
import { headText, type AuditHead } from './audit-head.ts'
import type { AuditLogOptions } from './audit-log.ts'
import { auditPage } from './audit-page.ts'
import type { AuditTail } from './audit-tail.ts'

/** What a writer works by. */
export interface AuditWriterOptions extends Omit<AuditLogOptions, 'maxWaiting' | 'retryMs' | 'onTrouble'> {
  /** Told what the log itself has to say, to be written next. */
  readonly onNews: (entry: AuditEntry) => void
}

interface OpenFile {
  readonly path: string
  readonly handle: FileHandle
  readonly inPlace: () => void
  sizeBytes: number
}

/** Appends records to the files of a log, one batch after the other: the next is begun when the one before has settled. */
export class AuditWriter {
  readonly #options: AuditWriterOptions
  #from: ChainPlace
  #last: ChainPlace
  #resume: AuditTail['file']
  #file: OpenFile | undefined
  /** Whether the last batch could not be written. */
  #hasFailed = false

  constructor(options: AuditWriterOptions, from: ChainPlace, { last, file }: AuditTail) {
    this.#options = options
    this.#from = from
    this.#last = last
    this.#resume = file
  }

  /** What the oldest file that is kept follows. */
  get from(): ChainPlace {
    return this.#from
  }

  get last(): ChainPlace {
    return this.#last
  }

  /** All of them or none: what was written of them is cut off again, and the chain goes on where it was. */
  async write(entries: readonly AuditEntry[]): Promise<readonly AuditRecord[]> {
    try {
      const records = await this.#write(entries)
      this.#hasFailed = false
      return records
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#file?.handle.close()
    this.#options.onAnchor?.(this.#last)
  }

  async #write(entries: readonly AuditEntry[]): Promise<readonly AuditRecord[]> {
    const records: AuditRecord[] = []
    const lines: string[] = []
    const { key, redact = (text: string) => text } = this.#options
    let place = this.#last
    for (const entry of entries) {
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
      else this.#options.onNews(newsOfLog('audit.broken', `${file.path} was changed by somebody else while it was in use`))
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
    const isLeftover = size > sizeBytes && this.#hasFailed
    if (isLeftover) await handle.truncate(sizeBytes)
    return isLeftover || size === sizeBytes
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
    this.#options.onNews(newsOfLog('audit.pruned', reason))
  }

  async #before(first: number): Promise<ChainPlace> {
    if (first > this.#last.seq) return this.#last
    const { records } = await auditPage(await auditFiles(this.#options.directory), this.#last.seq, { after: first - 1, limit: 1 })
    return { seq: first - 1, digest: records[0]?.prev ?? chainStart.digest }
  }
}

async function writeWhole({ handle }: OpenFile, bytes: Uint8Array): Promise<void> {
  let written = 0
  while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten
  await handle.datasync()
}
