import { closeSync, constants, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { z } from 'zod'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from '../machine/errno-of.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { sha256 } from './backup-store.ts'
import { JournalRecord, type TimedRecord } from './journal-record.ts'

const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
const mostBytes = 64 * 1024 * 1024
const Line = z.object({ hash: z.string(), at: z.string(), record: z.unknown() })

/**
 * What was done, one line each, only ever added to. A line is on the disk before `append` answers. Each carries the hash of
 * itself and of all before it; a last line that a kill cut off was never relied on and is dropped.
 */
export class Journal {
  readonly path: string
  readonly #tree: MachineTree
  readonly #records: TimedRecord[]
  #wholeBytes: number
  #hash: string

  private constructor(tree: MachineTree, path: string, read: { records: TimedRecord[]; wholeBytes: number; hash: string }) {
    this.#tree = tree
    this.path = path
    this.#records = read.records
    this.#wholeBytes = read.wholeBytes
    this.#hash = read.hash
  }

  /** Errors: `JOURNAL_DAMAGED`. A missing one has no records. */
  static read(tree: MachineTree, path: string): Journal {
    const text = tree.readBytes(path, mostBytes)?.toString('utf8') ?? ''
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    let hash = ''
    const records = whole
      .split('\n')
      .slice(0, -1)
      .map((line, index) => {
        const record = readLine(line, hash)
        if (typeof record === 'string') throw exliarErrors.error('JOURNAL_DAMAGED', { path, line: index + 1, reason: record })
        hash = record.hash
        return record.record
      })
    return new Journal(tree, path, { records, wholeBytes: Buffer.byteLength(whole), hash })
  }

  get records(): readonly TimedRecord[] {
    return this.#records
  }

  /** Errors: `TREE_UNWRITABLE`; then nothing was added. */
  append(record: JournalRecord): void {
    const at = new Date().toISOString()
    const hash = hashOf(this.#hash, at, record)
    const line = Buffer.from(`${JSON.stringify({ hash, at, record })}\n`)
    try {
      this.#write(line)
    } catch (error) {
      throw exliarErrors.error('TREE_UNWRITABLE', { path: this.path, reason: errnoOf(error) }, { cause: error })
    }
    this.#wholeBytes += line.length
    this.#hash = hash
    this.#records.push({ ...record, at })
  }

  /** In place and at once: a journal that is written whole each time could lose what it has. */
  #write(line: Buffer): void {
    using pinned = this.#tree.pin(this.path)
    const descriptor = openSync(pinned.path, flags, 0o600)
    try {
      ftruncateSync(descriptor, this.#wholeBytes)
      // Where the disk becomes full, only the beginning is written, and only the next call says why.
      for (let written = 0; written < line.length;) written += writeSync(descriptor, line, written)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    if (this.#wholeBytes === 0) this.#flushName()
  }

  /** A new file is there for good when its directory says so. */
  #flushName(): void {
    const descriptor = openSync(this.#tree.hostPath(dirname(this.path)), 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
}

/** A sentence where it cannot be read. */
function readLine(line: string, previous: string): { record: TimedRecord; hash: string } | string {
  try {
    const { hash, at, record } = Line.parse(JSON.parse(line))
    if (hashOf(previous, at, record) !== hash) return 'it is not what was written, or a line before it is missing'
    return { record: { ...JournalRecord.parse(record), at }, hash }
  } catch (error) {
    if (error instanceof PlatformError) throw error
    return 'it is no record of the journal'
  }
}

function hashOf(previous: string, at: string, record: unknown): string {
  return sha256(`${previous}\n${at}\n${JSON.stringify(record)}`)
}
