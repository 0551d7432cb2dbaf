import type { PermissionVocabulary, Point } from '@backplane/sdk'
import type { ApprovalOptions } from './approval-port.ts'
import type { DeclaredManifest } from './manifest-summary.ts'
import type {
  Admission,
  Clock,
  Grants,
  Isolation,
  LimitAction,
  LimitName,
  Limits,
  Log,
  Runtime,
  SecretBroker,
  Source,
  Store,
} from './ports.ts'
import type { NamespaceSettings, ReportedViolation, Supervision } from './supervision.ts'

/** How a host makes its kernel. */
export interface KernelOptions {
  readonly host: { readonly name: string; /** SemVer of the API this host offers plugins. */ readonly api: string }
  readonly points: readonly Point[]
  /**
   * Permissions of this host's own, which points and methods may take and manifests may ask for by name: `vm:edit`.
   * They have no argument. Default: none.
   */
  readonly permissions?: PermissionVocabulary
  /**
   * Who is asked before critical operations. Without it a plugin's call of one is refused (`APPROVAL_UNAVAILABLE`).
   */
  readonly approvals?: ApprovalOptions
  /** In order of precedence. */
  readonly sources: readonly Source[]
  readonly runtimes: readonly Runtime[]
  /**
   * Settings of one plugin, `${env:…}` and `${secret:…}` still in place; file and position for messages. The manifest
   * says what the plugin would contribute, so that a host can choose the settings that belong to that.
   */
  readonly settings?: (id: string, manifest: DeclaredManifest) => PluginSettings | undefined
  readonly policy?: Policy
  /** Asked before anything runs. Default: everything the sources have may run, with all it asks for. */
  readonly admission?: Admission
  readonly store?: Store
  readonly secrets?: SecretBroker
  /** Environment `${env:…}` is read from. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Parent of the plugins' data and exchange directories. Default: a temporary directory removed on dispose. */
  readonly dataDirectory?: string
  readonly clock?: Clock
  readonly log?: Log
  /** Ceilings for plugins that ask for none or for more; of all, or by where a plugin comes from. */
  readonly limits?:
    | Partial<Limits>
    | ((record: { readonly id: string; readonly origin: 'bundled' | 'external' }) => Partial<Limits>)
  /** What follows when a plugin goes over a limit; each has a default, see {@link LimitAction}. */
  readonly onLimit?: Partial<Record<LimitName, LimitAction>>
  /** Told of violations, each kind at most once a second and plugin. Must not throw. Source: seed 002, "Alerts". */
  readonly onViolation?: (violation: ReportedViolation) => void
  /** Told of every call through the dispatcher when it has ended; each call pays for it. Must not throw. */
  readonly onCall?: (call: EndedCall) => void
  /** Groups of plugins with shared limits, by name. For `default`, everything that is in no other, `plugins` does not count. */
  readonly namespaces?: Readonly<Record<string, NamespaceSettings>>
  /**
   * Who is asked instead of a provider that takes no calls: point id → name → other names, in order. A call goes on only
   * while nobody was asked: nothing is done twice. For an opened instance one of the next provider is opened with the same
   * settings (`CALL_FALLBACK_REFUSED` when it does not take them); a lease stays with what it holds.
   */
  readonly fallbacks?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  /** When a plugin that does not do well is ended, started again, or left alone. */
  readonly supervision?: Partial<Supervision>
  /** Starts no external plugin: for when the host does not come up with them. They are listed as disabled. */
  readonly safeMode?: boolean
  /** Between 0 and 1, for the waits before starting again. Default `Math.random`. */
  readonly random?: () => number
  readonly times?: Partial<Times>
  /** When a new version counts as worse than the one before it and is taken back. */
  readonly probation?: Partial<Probation>
  /** Start after changes in the sources. Default true when a source can watch. */
  readonly watch?: boolean
}

/** A call that has ended; never what was said in it. */
export interface EndedCall {
  /** Whose provider or handler it was. */
  readonly plugin: string
  readonly point: string
  readonly name: string
  readonly method: string
  /** Id of the calling plugin, or `host`. */
  readonly caller: string
  readonly traceId: string
  readonly tookMs: number
  /** What it ended by; undefined for its answer. */
  readonly code?: string
}

/** Settings of one plugin as the host read them. */
export interface PluginSettings {
  readonly config?: unknown
  /** File and path the settings came from, such as `config.yaml: plugins.config.hypersdk/libvirt`. */
  readonly from?: string
  /** The same with file, line and column for a place in {@link config}; wins over {@link from} where it answers. */
  readonly locate?: (path: readonly (string | number)[]) => string | undefined
  readonly limits?: Partial<Limits>
  /** What follows when it goes over a limit; wins over the host's. */
  readonly onLimit?: Partial<Record<LimitName, LimitAction>>
  /** Overrides the tier policy chooses. */
  readonly tier?: Runtime['tier']
  readonly criticality?: 'required' | 'optional' | 'fail-closed'
  /**
   * Audit mode: each use of its grants is told. `true` refuses to start it where its tier cannot (`AUDIT_UNAVAILABLE`),
   * `where-possible` starts it all the same, and its record says why it is not watched. Default: off.
   */
  readonly audit?: boolean | 'where-possible'
  /** Added to what permissions grant. */
  readonly grants?: Partial<Grants>
  /**
   * Names of secrets it may read beside those that {@link config} names; `team-*` stands for all that begin so.
   */
  readonly secrets?: readonly string[]
  /**
   * Fills `${path.to.value}` places in the manifest's permissions, beside `${config.…}`; `*` stands for every member, so
   * `fs:read ${instances.*.metadata.directory}` grants one path per configured instance. A place without a value drops
   * that permission.
   */
  readonly variables?: Readonly<Record<string, unknown>>
}

/** Who may run, decided before anything of a plugin runs. Names are ids or the part after the slash. */
export interface Policy {
  /** When given, only these. Wins over `deny`. */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /**
   * Why a plugin may not provide a name of a point, in half a sentence; undefined: it may. Asked whenever the plugins are looked at,
   * so it answers from memory. One that may not fails with `POINT_RESERVED`; between two that may, what serves and then the order
   * of the sources decide. Default: all may.
   */
  readonly reserved?: (claim: {
    readonly point: string
    readonly name: string
    readonly id: string
    readonly origin: 'bundled' | 'external'
  }) => string | undefined
  /**
   * How much stands around a plugin in the `confined` tier. Default: bundled ones `process` as `first-party`, all others
   * `os` as `community`. Where `os` cannot be built the plugin is refused, unless `sandbox` is waived: then it starts as
   * `process`, and its record keeps saying so.
   */
  readonly isolation?: (record: {
    readonly id: string
    readonly origin: 'bundled' | 'external'
  }) => Partial<Isolation> | undefined
  /** Tier by origin. Default: bundled `trusted`, external `confined`. */
  readonly tier?: (record: { readonly id: string; readonly origin: 'bundled' | 'external' }) => Runtime['tier']
  /** Where an operator writes what is waived, for hints: `plugins.waive of server.yaml`. Default: `the policy`. */
  readonly waivedIn?: string
  /**
   * Permissions or limits that may go without enforcement: `exec`, `net` (for `net:connect`), `limit:memory`, `*`.
   * Otherwise a permission must be enforced exactly and a limit at least coarsely (`POLICY_UNENFORCEABLE`). `trusted`
   * promises nothing and `contained` only limits, so choosing them is the waiver of the rest. Recorded and visible.
   */
  readonly waive?: (record: {
    readonly id: string
    readonly origin: 'bundled' | 'external'
    readonly tier: Runtime['tier']
    /** What it was granted. */
    readonly grants: Grants
  }) => readonly string[]
}

/** Every wait of the kernel, ms. */
export interface Times {
  /** From spawn to ready. Default 10 000. */
  readonly readyMs: number
  /** For calls in flight of an old generation; then they are aborted. Default 30 000. */
  readonly drainMs: number
  /** For a generation that a lease holds. Default 24 h. */
  readonly leaseMs: number
  /** From asking a plugin to stop to killing it. Default 5 000. */
  readonly stopMs: number
  /** Between listings without a hint. Default 60 000; 0 turns it off. */
  readonly rescanMs: number
  /** For each thing a new version shows before it takes over: ping, health check, hand-over. Default 5 000. */
  readonly proveMs: number
  /**
   * After an update: the new version is watched, and the old one kept warm to take over again. A plugin may use its memory
   * twice for so long. Default 60 000; 0 turns it off.
   */
  readonly probationMs: number
  /**
   * For a person who is asked before a critical operation; does not count for the operation itself. Default 600 000.
   */
  readonly approvalMs: number
}

/**
 * When a new version counts as worse than the one before it. Only the new one's own errors count (it threw, answered what
 * its point does not allow, ended, or did not answer in time), and only as compared with the old one's.
 */
export interface Probation {
  /** Between looks at the new version, ms. Default 1 000. */
  readonly lookMs: number
  /** So many looks in a row find it unhealthy, or too large. Default 2. */
  readonly failedLooks: number
  /** So many calls failed at least. Default 5. */
  readonly leastFaults: number
  /** Of 100 calls so many more fail than did before. Default 10. */
  readonly faultPercent: number
  /** Latencies are compared once both versions answered so many calls. Default 100. */
  readonly leastCalls: number
  /** The time that 99 of 100 calls keep is more than so many times that of the old version. Default 5. */
  readonly slowerTimes: number
  /** And more than this, ms. Default 50. */
  readonly slowerFloorMs: number
  /** Memory held is more than so many times that of the old version. Default 3. */
  readonly memoryTimes: number
  /** And more than that by this, MiB. Default 64. */
  readonly memoryFloorMiB: number
}
