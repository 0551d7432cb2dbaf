import type { AuditEntry } from '@backplane/kernel'

/** The time is that of the call, not of the write. */
export function stamped(entry: AuditEntry): AuditEntry {
  return entry.atMs === undefined ? { ...entry, atMs: Date.now() } : entry
}

/** Without the values of secrets. */
export function redacted(entry: AuditEntry, redact: (text: string) => string): AuditEntry {
  const clean = <T extends object>(value: T): T =>
    Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, typeof member === 'string' ? redact(member) : member]),
    ) as T
  return {
    ...clean(entry),
    actor: clean(entry.actor),
    ...(entry.details === undefined ? {} : { details: clean(entry.details) }),
  }
}

/** What a log says of itself. */
export function newsOfLog(action: string, reason?: string): AuditEntry {
  return { actor: { kind: 'host', name: 'host' }, action, subject: 'audit log', outcome: 'noted', reason }
}
