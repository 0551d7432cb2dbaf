import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { storageErrors } from './errors.ts'
import { sqliteFailure } from './sqlite-failure.ts'

/** How a SQLite file is opened. */
export interface DatabaseOptions {
  /** How long to wait for another process's lock, ms; the host stands still meanwhile. Default 2 000. */
  readonly busyTimeoutMs?: number
  /** The database file may not grow beyond this, bytes. Default: the volume. */
  readonly maxBytes?: number
}

/** What a file holds. */
export interface DatabaseFormat {
  /** Kept in the file's `user_version`. */
  readonly version: number
  /** SQL that makes what is not there yet; run at each opening. */
  readonly tables: string
}

/**
 * Opens (or makes, mode 0600) a SQLite file, or `:memory:`, and brings it to its format. A commit is on the disk before
 * it is answered (write-ahead log, `synchronous=FULL`). The caller closes it, and passes what it throws later through
 * {@link sqliteFailure}. Errors: `STORE_UNUSABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`, `STORE_BUSY`, `STORE_FULL`.
 */
export function openDatabase(path: string, format: DatabaseFormat, options: DatabaseOptions = {}): DatabaseSync {
  const file = path === ':memory:' ? path : resolve(path)
  try {
    if (file !== ':memory:') makePrivate(file)
    const database = new DatabaseSync(file, { timeout: options.busyTimeoutMs ?? 2_000 })
    try {
      prepare(database, file, format, options.maxBytes)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    throw sqliteFailure(file, error)
  }
}

/** The log and index files beside it take the mode of the database. */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
}

function prepare(database: DatabaseSync, path: string, format: DatabaseFormat, maxBytes: number | undefined): void {
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
  const found = Number(pragma(database, 'user_version'))
  if (found > format.version) throw storageErrors.error('STORE_TOO_NEW', { path, found, known: format.version })
  if (maxBytes !== undefined) {
    const pages = Math.max(1, Math.floor(maxBytes / Number(pragma(database, 'page_size'))))
    database.exec(`PRAGMA max_page_count = ${pages}`)
  }
  database.exec(`BEGIN IMMEDIATE; ${format.tables} PRAGMA user_version = ${format.version}; COMMIT`)
}

function pragma(database: DatabaseSync, name: 'user_version' | 'page_size'): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name]
}
