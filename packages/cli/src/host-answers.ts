/*
 * The parts of a host's answers that are shown. A host may be older or newer, so members are read, never relied on.
 */

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

export interface PluginList {
  readonly plugins: readonly Plugin[]
}

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

export interface Top {
  readonly at: string
  readonly over_ms: number | null
  readonly plugins: readonly TopRow[]
}

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

export interface Token {
  readonly name: string
  readonly scope: string
  readonly plugins: readonly string[] | null
  readonly created_at: string
  readonly expires_at: string | null
  readonly expired: boolean
}

export interface TokenList {
  readonly tokens: readonly Token[]
}

export interface NewToken extends Token {
  readonly token: string
}

export interface Sentence {
  readonly permission: string
  readonly sentence: string
  readonly risk: string
  readonly reason: string
}

export interface VerdictRule {
  readonly rule: string
  readonly outcome: string
  readonly reason: string
  readonly file: string | null
  readonly fix: string | null
}

export interface Verdict {
  readonly ok: boolean
  readonly trust: string
  readonly publisher: string | null
  readonly rules: readonly VerdictRule[]
}

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

export interface PlanRemoval {
  readonly kind: 'remove'
  readonly id: string
  readonly version: string
  readonly orphan: boolean
}

export interface Plan {
  readonly etag: string
  readonly pending: boolean
  readonly steps: readonly (PlanPut | PlanRemoval)[]
}

export interface Applied {
  readonly message: string
  readonly plugins: readonly Plugin[]
}

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

export interface Proposal {
  readonly used: readonly string[]
  readonly unknown: readonly string[]
  readonly unused: readonly string[]
  readonly narrower: Readonly<Record<string, readonly string[]>>
}

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

export interface ApprovalList {
  readonly approvals: readonly Approval[]
}

export interface AuditRecord {
  readonly seq: number
  readonly at: string
  readonly actor: { readonly name: string; readonly peer?: string }
  readonly action: string
  readonly subject: string
  readonly outcome: string
  readonly reason?: string
}

export interface AuditPage {
  readonly records: readonly AuditRecord[]
  readonly next: number | null
}

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
