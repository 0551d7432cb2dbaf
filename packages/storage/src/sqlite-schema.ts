import type { DatabaseSync } from 'node:sqlite'
import { storageErrors } from './errors.ts'

/** Kept in the file's `user_version`. */
const formatVersion = 1

/** The size of each namespace is kept by triggers, so that a quota costs one row and not a sum. */
const tables = `
  CREATE TABLE IF NOT EXISTS entries (
    namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS sizes (namespace TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS entry_added AFTER INSERT ON entries BEGIN
    INSERT INTO sizes VALUES (new.namespace, octet_length(new.key) + octet_length(new.value))
      ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER IF NOT EXISTS entry_changed AFTER UPDATE ON entries BEGIN
    UPDATE sizes SET bytes = bytes + octet_length(new.value) - octet_length(old.value) WHERE namespace = new.namespace;
  END;
  CREATE TRIGGER IF NOT EXISTS entry_removed AFTER DELETE ON entries BEGIN
    UPDATE sizes SET bytes = bytes - octet_length(old.key) - octet_length(old.value) WHERE namespace = old.namespace;
  END;
`

/** Brings a new or existing file to the present format. A commit is on the disk before it is answered. */
export function prepareDatabase(database: DatabaseSync, path: string, maxBytes: number | undefined): void {
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
  const found = Number(pragma(database, 'user_version'))
  if (found > formatVersion) throw storageErrors.error('STORE_TOO_NEW', { path, found, known: formatVersion })
  if (maxBytes !== undefined) {
    const pages = Math.max(1, Math.floor(maxBytes / Number(pragma(database, 'page_size'))))
    database.exec(`PRAGMA max_page_count = ${pages}`)
  }
  database.exec(`BEGIN IMMEDIATE; ${tables} PRAGMA user_version = ${formatVersion}; COMMIT`)
}

function pragma(database: DatabaseSync, name: 'user_version' | 'page_size'): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name]
}
