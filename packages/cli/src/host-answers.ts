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
