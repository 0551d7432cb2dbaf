/*
 * The parts of a host's answers that are shown. A host may be older or newer, so members are read, never relied on.
 */

/** One plugin as lists show it. */
export interface Plugin {
  readonly id: string
  readonly version: string
  readonly status: string
  readonly state: string
  readonly reason: string | null
  readonly tier: string | null
  readonly generation: number
  readonly audit?: { readonly on: boolean; readonly reason: string | null } | null
  readonly pinned?: string | null
  readonly held?: {
    readonly why: string
    readonly to: { readonly version: string }
    readonly against: { readonly version: string }
  } | null
  readonly update?: { readonly version: string; readonly failure: { readonly message: string } } | null
}

/** `GET /api/plugins`. */
export interface PluginList {
  readonly plugins: readonly Plugin[]
}

/** What one running plugin uses and does; null is not known. */
export interface TopRow {
  readonly id: string
  readonly version: string
  readonly state: string
  readonly tier: string | null
  readonly generation: number
  readonly cpu_percent: number | null
  readonly memory_bytes: number | null
  readonly heap_bytes: number | null
  readonly stall_ms: number | null
  readonly processes: number | null
  readonly open_files: number | null
  readonly calls: number
  readonly calls_per_second: number | null
  readonly errors: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly violations: number
  readonly denials: number
}

/** `GET /api/top`; calls a second are over `over_ms`. */
export interface Top {
  readonly at: string
  readonly over_ms: number | null
  readonly plugins: readonly TopRow[]
}

/** `GET /api/plugins/{id}/why`: findings with their evidence. */
export interface Why {
  readonly plugin: string
  readonly state: string
  readonly findings: readonly {
    /** `fault`, `notice`, `fine`, or one that a newer host has. */
    readonly weight: string
    readonly what: string
    readonly because: string
    readonly evidence: readonly { readonly text: string; readonly seq: number | null; readonly at: string | null }[]
    readonly hint: string | null
  }[]
}

/** `GET /api/plugins/{id}/history`, newest first. */
export interface History {
  readonly plugin: string
  readonly entries: readonly {
    readonly version: string
    readonly digest: string | null
    readonly from: string
    readonly to: string | null
    readonly outcome: string
    readonly reason: string | null
  }[]
}

/** `GET /api/system`: what the host has to hold plugins with. */
export interface System {
  readonly sandbox: boolean | null
  readonly layers: readonly {
    readonly layer: string
    readonly available: boolean
    readonly mechanism: string
    readonly detail: string
    readonly missing?: string | null
    readonly install?: string | null
  }[]
}

/** One token; never its secret. */
export interface Token {
  readonly name: string
  readonly scope: string
  readonly plugins: readonly string[] | null
  readonly created_at: string
  readonly expires_at: string | null
  readonly expired: boolean
}

/** `GET /api/tokens`. */
export interface TokenList {
  readonly tokens: readonly Token[]
}

/** A token as it is made: its secret is told this once. */
export interface NewToken extends Token {
  readonly token: string
}

/** A permission in words, with its risk and why. */
export interface Sentence {
  readonly permission: string
  readonly sentence: string
  readonly risk: string
  readonly reason: string
}

/** What one rule of the policy said. */
export interface VerdictRule {
  readonly rule: string
  readonly outcome: string
  readonly reason: string
  readonly file: string | null
  readonly fix: string | null
}

/** Whether a package may run, rule by rule. */
export interface Verdict {
  readonly ok: boolean
  readonly trust: string
  readonly publisher: string | null
  readonly rules: readonly VerdictRule[]
}

/** A step that installs or updates. */
export interface PlanPut {
  readonly kind: 'install' | 'update'
  readonly id: string
  readonly version: string
  readonly from: string | null
  readonly needed_by: readonly string[]
  readonly source: string
  readonly size_bytes: number
  readonly verdict: Verdict
  readonly permissions: {
    readonly asked: readonly Sentence[]
    /** An older host keeps nothing from anybody. */
    readonly withheld?: readonly string[]
    readonly unapproved: readonly Sentence[]
    readonly dropped: readonly string[]
  }
  readonly settings: Readonly<Record<'added' | 'removed' | 'changed' | 'required', readonly string[]>>
  readonly license: { readonly from: string | null; readonly to: string | null }
}

/** A step that removes; `orphan`: nobody needs it any more. */
export interface PlanRemoval {
  readonly kind: 'remove'
  readonly id: string
  readonly version: string
  readonly orphan: boolean
}

/** What changes come to; `etag` names exactly that. */
export interface Plan {
  readonly etag: string
  readonly pending: boolean
  readonly steps: readonly (PlanPut | PlanRemoval)[]
}

/** What became of a plan that was done. */
export interface Applied {
  readonly message: string
  readonly plugins: readonly Plugin[]
}

/** `GET /api/plugins/outdated`. */
export interface Outdated {
  readonly plugins: readonly {
    readonly id: string
    readonly version: string
    readonly requested: string
    readonly available: string | null
    readonly unapproved: readonly string[]
    readonly problem: { readonly code: string; readonly message: string } | null
  }[]
  readonly count: number
}

/** What is wrong with what a host keeps on its disk. */
export interface StorageFindings {
  readonly ok: boolean
  readonly findings: readonly {
    readonly kind: string
    readonly subject: string
    readonly problem: string
    readonly fixed: boolean
    readonly action: string
  }[]
}

/** `GET /api/packages/search`. */
export interface FoundPackages {
  readonly packages: readonly {
    readonly reference: string
    readonly source: string
    readonly name: string
    readonly version: string | null
    readonly description: string | null
    readonly as_of: string | null
  }[]
  readonly problems: readonly { readonly source: string; readonly message: string }[]
}

/** What a plugin asks for, what was answered, and what it used of that. */
export interface Permissions {
  readonly id: string
  readonly version: string
  readonly asked: readonly Sentence[]
  readonly approved: readonly string[] | null
  readonly unapproved: readonly Sentence[]
  readonly waiting: string | null
  /** An older host tells nothing of what follows. */
  readonly withheld?: readonly Sentence[]
  readonly audit?: { readonly on: boolean; readonly reason: string | null } | null
  readonly used?: readonly Used[]
  readonly proposal?: Proposal
}

/** What was used of one permission; `used` is null where nobody can say. */
export interface Used {
  readonly permission: string
  readonly used: {
    readonly count: number
    readonly first: string | null
    readonly last: string | null
    readonly by: string | null
    readonly seen: readonly string[]
    readonly complete: boolean
  } | null
  readonly watched_since: string | null
  readonly unknown: string | null
  readonly withheld: boolean
  readonly needed_for: string | null
}

/** The least that would have done. */
export interface Proposal {
  readonly used: readonly string[]
  readonly unknown: readonly string[]
  readonly unused: readonly string[]
  readonly narrower: Readonly<Record<string, readonly string[]>>
}

/** `GET /api/grants`: what was approved and withheld, by plugin. */
export interface Grants {
  readonly grants: readonly {
    readonly id: string
    readonly permissions: readonly Sentence[]
    readonly withheld?: readonly string[]
    readonly kept_in: string
    readonly by: string | null
    readonly at: string | null
  }[]
}

/** `GET /api/lock`. */
export interface Lock {
  readonly plugins: Readonly<
    Record<
      string,
      {
        readonly version: string
        readonly requested?: string
        readonly publisher?: string
        readonly permissions: readonly string[]
        readonly artifacts: Readonly<Record<string, { readonly digest: string }>>
      }
    >
  >
}

/** One question that waits for a person, or waited. */
export interface Approval {
  readonly id: string
  readonly plugin: string
  readonly version: string | null
  readonly point: string
  readonly name: string
  readonly method: string
  readonly sentence: string
  readonly input: unknown
  readonly state: string
  readonly asked_at: string
  readonly expires_at: string
  readonly decided_at: string | null
  readonly by: string | null
  readonly reason: string | null
}

/** `GET /api/approvals`. */
export interface ApprovalList {
  readonly approvals: readonly Approval[]
}

/** One record of the audit log. */
export interface AuditRecord {
  readonly seq: number
  readonly at: string
  readonly actor: { readonly name: string; readonly peer?: string }
  readonly action: string
  readonly subject: string
  readonly outcome: string
  readonly reason?: string
}

/** Records, and where the next begin. */
export interface AuditPage {
  readonly records: readonly AuditRecord[]
  readonly next: number | null
}

/** What a check of the audit log came to. */
export interface AuditReport {
  readonly ok: boolean
  readonly records: number
  readonly first: number
  readonly last: number
  readonly digest: string
  readonly checked: { readonly key: boolean; readonly head: boolean }
  readonly torn_bytes: number
  readonly problems: readonly {
    readonly kind: string
    readonly seq: number
    readonly line: number
    readonly message: string
    /** Only where the check was made here. */
    readonly file?: string
  }[]
}
