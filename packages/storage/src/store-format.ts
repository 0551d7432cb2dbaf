import type { DatabaseFormat } from './open-database.ts'

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

/** What a file of `sqliteStore` holds. */
export const storeFormat: DatabaseFormat = { version: 1, tables }
