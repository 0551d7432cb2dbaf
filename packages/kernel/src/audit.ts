/*
 * What a host writes down of who decided and did what. The kernel itself writes none of it: it tells of events, and the
 * host's server, admission and brokers add what they decide.
 */

/** Who did it, or asked for it. */
export interface AuditActor {
  readonly kind: 'token' | 'plugin' | 'host'
  /** Of a token its name, never the token; of a plugin its id. */
  readonly name: string
  /** What the token allows. */
  readonly scope?: string
  /** Where a request came from: an address, or `unix`. */
  readonly peer?: string
}

/**
 * What came of it. `asked`: it is about to be tried; a second entry with the same `trace` says what came of it, and where
 * that is missing nobody knows. `noted`: it happened by itself.
 */
export type AuditOutcome = 'asked' | 'ok' | 'refused' | 'failed' | 'noted'

/** One thing to write down. Texts are cut at 500 characters; values of secrets have no place in any of them. */
export interface AuditEntry {
  readonly actor: AuditActor
  /** `area.verb`: `plugin.disable`, `secret.read`, `permission.deny`. */
  readonly action: string
  /** What it was done to: a plugin's id, a secret's name, a path of the API. */
  readonly subject: string
  /** The plugin it is about, for whoever looks for one. */
  readonly plugin?: string | undefined
  readonly outcome: AuditOutcome
  /** A code or a sentence. */
  readonly reason?: string | undefined
  /** Ties together what belongs together. */
  readonly trace?: string | undefined
  readonly details?: Readonly<Record<string, string | number | boolean>> | undefined
  /** When it happened, ms since the epoch; default: when it is written. */
  readonly atMs?: number | undefined
}

/** An entry as it is kept. Its members are those of the file. */
export interface AuditRecord extends Omit<AuditEntry, 'atMs'> {
  /** From 1, without gaps. */
  readonly seq: number
  /** RFC 3339, UTC. */
  readonly at: string
  /** Digest of the record before; of the first, zeros. */
  readonly prev: string
  /** `sha256:` over the canonical JSON of everything but this and `mac`. */
  readonly digest: string
  /** HMAC-SHA256 of the digest by the log's key, its first 16 bytes in base64url. */
  readonly mac: string
}

/** Which records are wanted. */
export interface AuditQuery {
  readonly plugin?: string | undefined
  /** Name of the actor. */
  readonly actor?: string | undefined
  /** An action, or an area and `.*`. */
  readonly action?: string | undefined
  readonly outcome?: AuditOutcome | undefined
  /** From this time on, ms since the epoch. */
  readonly sinceMs?: number | undefined
  /** Before this time, ms since the epoch. */
  readonly untilMs?: number | undefined
  /** Newest first, those below this number. */
  readonly before?: number | undefined
  /** Oldest first, those above this number; wins over `before`. */
  readonly after?: number | undefined
  /** Records in one page, 1 to 1 000. Default 100. */
  readonly limit?: number | undefined
}

/** Some of the records. */
export interface AuditPage {
  readonly records: readonly AuditRecord[]
  /** What to put in `before` (or `after`) for the page that follows, which may be empty; undefined: that was all. */
  readonly next: number | undefined
}

/** What a check of the whole log came to. */
export interface AuditReport {
  readonly ok: boolean
  /** Records that were read. */
  readonly records: number
  /** Numbers of the first and the last one; 0 when there is none. */
  readonly first: number
  readonly last: number
  /** Digest of the last one, empty where that was changed: who writes it down elsewhere can tell later whether anything up to it was changed. */
  readonly digest: string
  /** Whether authors were checked, which needs the key, and the end, which needs the head. */
  readonly checked: { readonly key: boolean; readonly head: boolean }
  /** Bytes after the last record that are none: what was being written when the host was killed. */
  readonly tornBytes: number
  /** The first 100 of them. */
  readonly problems: readonly AuditProblem[]
}

/** One thing that shows that the log was changed by others than its host. */
export interface AuditProblem {
  readonly kind: 'changed' | 'removed' | 'reordered' | 'inserted' | 'truncated' | 'head'
  /** The record it is about. */
  readonly seq: number
  readonly file: string
  /** From 1; 0 where there is none. */
  readonly line: number
  readonly message: string
}

/** The audit log of a host. */
export interface AuditTrail {
  /** Writes an entry; it is on the disk when the promise settles. Errors: `AUDIT_UNWRITABLE`, and nothing was written. */
  readonly append: (entry: AuditEntry) => Promise<AuditRecord>
  /**
   * The same for what has happened already, in the order of the calls; nobody waits. What cannot be written is counted,
   * and the number is the first thing written once that works again.
   */
  readonly note: (entry: AuditEntry) => void
  readonly page: (query: AuditQuery) => Promise<AuditPage>
  readonly verify: () => Promise<AuditReport>
}
