import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { LogLevel } from '@backplane/sdk'
import { openDatabase, placeGuard, sqliteFailure, type DatabaseFormat } from '@backplane/storage'
import type { ExportOutcome } from '@hypersdk/points'
import type { Job, JobLogLine, JobStatus } from './job.ts'

/** Which jobs are wanted; members that are absent do not narrow. Newest first. */
export interface JobQuery {
  readonly ids?: readonly string[] | undefined
  readonly statuses?: readonly JobStatus[] | undefined
  readonly limit: number
}

/** Limits of what is kept. */
export interface JobStoreLimits {
  readonly keepFinished: number
  readonly maxLogLines: number
  /** The file may not grow beyond this, bytes. Default: the volume. */
  readonly maxBytes?: number
}

const format: DatabaseFormat = {
  version: 1,
  tables: `
    CREATE TABLE IF NOT EXISTS jobs (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      status TEXT NOT NULL,
      job TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, number);
    CREATE TABLE IF NOT EXISTS job_logs (
      id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
      seq INTEGER NOT NULL,
      line TEXT NOT NULL,
      PRIMARY KEY (id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS owed_hooks (
      id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
      outcome TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
}

/**
 * Keeps jobs durably in SQLite: what a method has returned from survives a crash of the machine. Bounded: of ended
 * jobs the newest `keepFinished`, of each log the newest `maxLogLines`. While its file is not in its place nothing is
 * written: `STORE_GONE`.
 */
export class JobStore implements Disposable {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #limits: JobStoreLimits
  readonly #inPlace: () => void
  readonly #statements = new Map<string, StatementSync>()

  /** Errors: those of `openDatabase`. */
  constructor(file: string, limits: JobStoreLimits) {
    this.#file = file
    this.#database = openDatabase(file, format, limits.maxBytes === undefined ? {} : { maxBytes: limits.maxBytes })
    this.#limits = limits
    this.#inPlace = placeGuard(file)
  }

  /** Adds all of the jobs or, on an error, none. The ids must be new. */
  insert(jobs: readonly Job[]): void {
    const sql = 'INSERT INTO jobs (id, status, job) VALUES (?, ?, ?)'
    this.#atOnce(() => {
      for (const job of jobs) this.#run(sql, job.definition.id, job.status, JSON.stringify(job))
    })
  }

  update(job: Job): void {
    this.#run('UPDATE jobs SET status = ?, job = ? WHERE id = ?', job.status, JSON.stringify(job), job.definition.id)
  }

  /** Updates a job that has ended, and owes its hooks the outcome from the same moment on. */
  end(job: Job, outcome: ExportOutcome): void {
    this.#atOnce(() => {
      this.update(job)
      this.#run('INSERT OR REPLACE INTO owed_hooks (id, outcome) VALUES (?, ?)', outcome.job_id, JSON.stringify(outcome))
    })
  }

  /** Outcomes that hooks are owed. */
  owed(): readonly ExportOutcome[] {
    const rows = this.#rows('SELECT outcome FROM owed_hooks ORDER BY id')
    return rows.map((row) => JSON.parse(String(row['outcome'])) as ExportOutcome)
  }

  /** Its hooks were told. */
  told(id: string): void {
    this.#run('DELETE FROM owed_hooks WHERE id = ?', id)
  }

  get(id: string): Job | undefined {
    return rowJob(this.#rows('SELECT job FROM jobs WHERE id = ?', id)[0])
  }

  /** The wanted jobs up to the limit, and how many there are in all. */
  query(query: JobQuery): { readonly jobs: readonly Job[]; readonly total: number } {
    const where: string[] = []
    const values: string[] = []
    for (const [column, wanted] of [
      ['id', query.ids],
      ['status', query.statuses],
    ] as const) {
      if (wanted === undefined) continue
      where.push(`${column} IN (SELECT value FROM json_each(?))`)
      values.push(JSON.stringify(wanted))
    }
    const condition = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`
    const [counted] = this.#rows(`SELECT count(*) AS total FROM jobs ${condition}`, ...values)
    const rows = this.#rows(`SELECT job FROM jobs ${condition} ORDER BY number DESC LIMIT ?`, ...values, query.limit)
    return { jobs: rows.flatMap((row) => rowJob(row) ?? []), total: Number(counted?.['total'] ?? 0) }
  }

  /** Those that are not final, oldest first. */
  unfinished(): readonly Job[] {
    const rows = this.#rows("SELECT job FROM jobs WHERE status IN ('pending', 'running') ORDER BY number")
    return rows.flatMap((row) => rowJob(row) ?? [])
  }

  count(status?: JobStatus): number {
    const [row] =
      status === undefined
        ? this.#rows('SELECT count(*) AS total FROM jobs')
        : this.#rows('SELECT count(*) AS total FROM jobs WHERE status = ?', status)
    return Number(row?.['total'] ?? 0)
  }

  /** Forgets the oldest ended jobs above the limit, but none that hooks are still owed. */
  prune(): void {
    this.#run(
      `DELETE FROM jobs WHERE number IN (
         SELECT number FROM jobs WHERE status IN ('completed', 'failed', 'cancelled') ORDER BY number DESC LIMIT -1 OFFSET ?)
       AND id NOT IN (SELECT id FROM owed_hooks)`,
      this.#limits.keepFinished,
    )
  }

  /** Adds a line and answers it with its number; the oldest line above the limit goes. Of a job forgotten meanwhile nothing is kept. */
  addLog(id: string, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): JobLogLine {
    const last = this.lastLogSeq(id)
    const line: JobLogLine = {
      seq: last + 1,
      time: new Date().toISOString(),
      level,
      message,
      ...(fields === undefined ? {} : { fields }),
    }
    const sql = 'INSERT INTO job_logs (id, seq, line) SELECT id, ?, ? FROM jobs WHERE id = ?'
    this.#run(sql, line.seq, JSON.stringify(line), id)
    this.#run('DELETE FROM job_logs WHERE id = ? AND seq <= ?', id, line.seq - this.#limits.maxLogLines)
    return line
  }

  /** Lines above `since`, oldest first. */
  logs(id: string, since: number, limit: number): readonly JobLogLine[] {
    const rows = this.#rows('SELECT line FROM job_logs WHERE id = ? AND seq > ? ORDER BY seq LIMIT ?', id, since, limit)
    return rows.map((row) => JSON.parse(String(row['line'])) as JobLogLine)
  }

  lastLogSeq(id: string): number {
    return Number(this.#rows('SELECT max(seq) AS seq FROM job_logs WHERE id = ?', id)[0]?.['seq'] ?? 0)
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  /** Does all of it or, on an error, nothing. */
  #atOnce(work: () => void): void {
    this.#run('BEGIN IMMEDIATE')
    try {
      work()
      this.#run('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#run('ROLLBACK')
      throw error
    }
  }

  #run(sql: string, ...values: readonly (string | number)[]): void {
    this.#coded(() => {
      if (!this.#database.isTransaction) this.#inPlace()
      this.#prepare(sql).run(...values)
    })
  }

  #rows(sql: string, ...values: readonly (string | number)[]): Record<string, unknown>[] {
    return this.#coded(() => this.#prepare(sql).all(...values))
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql)
    this.#statements.set(sql, known)
    return known
  }

  #coded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw sqliteFailure(this.#file, error)
    }
  }
}

function rowJob(row: Record<string, unknown> | undefined): Job | undefined {
  if (row === undefined) return undefined
  // An older daemon wrote jobs without a manifest.
  const { manifest = null, ...job } = JSON.parse(String(row['job'])) as Omit<Job, 'manifest'> & Partial<Pick<Job, 'manifest'>>
  return { ...job, manifest }
}
