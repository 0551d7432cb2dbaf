import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { LogLevel } from '@backplane/sdk'
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
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
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
  PRAGMA foreign_keys = ON;
  PRAGMA user_version = 1;
`

/**
 * Keeps jobs durably in SQLite: what a method has returned from survives a crash of the machine. Bounded: of ended
 * jobs the newest `keepFinished`, of each log the newest `maxLogLines`.
 */
export class JobStore implements Disposable {
  readonly #database: DatabaseSync
  readonly #limits: JobStoreLimits
  readonly #statements = new Map<string, StatementSync>()

  constructor(file: string, limits: JobStoreLimits) {
    this.#database = new DatabaseSync(file)
    this.#database.exec(schema)
    this.#limits = limits
  }

  /** Adds all of the jobs or, on an error, none. The ids must be new. */
  insert(jobs: readonly Job[]): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const job of jobs) {
        this.#prepare('INSERT INTO jobs (id, status, job) VALUES (?, ?, ?)').run(
          job.definition.id,
          job.status,
          JSON.stringify(job),
        )
      }
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  update(job: Job): void {
    this.#prepare('UPDATE jobs SET status = ?, job = ? WHERE id = ?').run(job.status, JSON.stringify(job), job.definition.id)
  }

  get(id: string): Job | undefined {
    return rowJob(this.#prepare('SELECT job FROM jobs WHERE id = ?').get(id))
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
    const total = this.#prepare(`SELECT count(*) AS total FROM jobs ${condition}`).get(...values)?.['total']
    const rows = this.#prepare(`SELECT job FROM jobs ${condition} ORDER BY number DESC LIMIT ?`).all(...values, query.limit)
    return { jobs: rows.flatMap((row) => rowJob(row) ?? []), total: Number(total ?? 0) }
  }

  /** Those that are not final, oldest first. */
  unfinished(): readonly Job[] {
    const rows = this.#prepare("SELECT job FROM jobs WHERE status IN ('pending', 'running') ORDER BY number").all()
    return rows.flatMap((row) => rowJob(row) ?? [])
  }

  count(status?: JobStatus): number {
    const row =
      status === undefined
        ? this.#prepare('SELECT count(*) AS total FROM jobs').get()
        : this.#prepare('SELECT count(*) AS total FROM jobs WHERE status = ?').get(status)
    return Number(row?.['total'] ?? 0)
  }

  /** Forgets the oldest ended jobs above the limit. */
  prune(): void {
    this.#prepare(
      `DELETE FROM jobs WHERE number IN (
         SELECT number FROM jobs WHERE status IN ('completed', 'failed', 'cancelled') ORDER BY number DESC LIMIT -1 OFFSET ?)`,
    ).run(this.#limits.keepFinished)
  }

  /** Adds a line and answers it with its number; the oldest line above the limit goes. */
  addLog(id: string, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): JobLogLine {
    const last = this.lastLogSeq(id)
    const line: JobLogLine = {
      seq: last + 1,
      time: new Date().toISOString(),
      level,
      message,
      ...(fields === undefined ? {} : { fields }),
    }
    this.#prepare('INSERT INTO job_logs (id, seq, line) VALUES (?, ?, ?)').run(id, line.seq, JSON.stringify(line))
    this.#prepare('DELETE FROM job_logs WHERE id = ? AND seq <= ?').run(id, line.seq - this.#limits.maxLogLines)
    return line
  }

  /** Lines above `since`, oldest first. */
  logs(id: string, since: number, limit: number): readonly JobLogLine[] {
    const rows = this.#prepare('SELECT line FROM job_logs WHERE id = ? AND seq > ? ORDER BY seq LIMIT ?').all(id, since, limit)
    return rows.map((row) => JSON.parse(String(row['line'])) as JobLogLine)
  }

  lastLogSeq(id: string): number {
    return Number(this.#prepare('SELECT max(seq) AS seq FROM job_logs WHERE id = ?').get(id)?.['seq'] ?? 0)
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql)
    this.#statements.set(sql, known)
    return known
  }
}

function rowJob(row: Record<string, unknown> | undefined): Job | undefined {
  return row === undefined ? undefined : (JSON.parse(String(row['job'])) as Job)
}
