import type { DatabaseFormat } from '../open-database.ts'

const tables = `
  CREATE TABLE IF NOT EXISTS approvals (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, plugin TEXT NOT NULL, version TEXT, point TEXT NOT NULL,
    name TEXT NOT NULL, method TEXT NOT NULL, sentence TEXT NOT NULL, input TEXT NOT NULL, trace_id TEXT NOT NULL,
    asked_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, state TEXT NOT NULL, decided_at_ms INTEGER, by TEXT, reason TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS approvals_by_state ON approvals (state, seq);
  CREATE TABLE IF NOT EXISTS askers (id TEXT PRIMARY KEY, process TEXT NOT NULL) STRICT;
`

/**
 * What a file of `approvalQueue` holds. Which process waits for an open question stands in a table of its own: a file from before
 * it was known needs no change, and its questions are nobody's.
 */
export const approvalFormat: DatabaseFormat = { version: 1, tables }

/** What the queue asks of its database. */
export const approvalQueries = {
  insert: `INSERT INTO approvals (id, plugin, version, point, name, method, sentence, input, trace_id, asked_at_ms, expires_at_ms, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')`,
  end: `UPDATE approvals SET state = ?, decided_at_ms = ?, by = ?, reason = ? WHERE id = ? AND state = 'pending'`,
  asker: 'INSERT INTO askers (id, process) VALUES (?, ?)',
  open: `SELECT approvals.id, process FROM approvals LEFT JOIN askers USING (id) WHERE state = 'pending' ORDER BY seq`,
  abandon: `UPDATE approvals SET state = 'abandoned', decided_at_ms = ? WHERE id = ? AND state = 'pending' RETURNING *`,
  get: 'SELECT * FROM approvals WHERE id = ?',
  list: `SELECT * FROM approvals WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR plugin = ?2) ORDER BY seq DESC LIMIT ?3`,
  prune: `DELETE FROM approvals WHERE state != 'pending' AND seq <=
    (SELECT seq FROM approvals WHERE state != 'pending' ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
  forget: `DELETE FROM askers WHERE NOT EXISTS (SELECT 1 FROM approvals WHERE approvals.id = askers.id AND state = 'pending')`,
} as const
