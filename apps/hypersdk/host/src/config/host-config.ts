import type { LimitAction, LimitName, Limits, NamespaceSettings } from '@backplane/kernel'
import type { Tier } from '@backplane/sdk'
import type { TlsFiles } from '@backplane/server'
import type { ApprovalsConfig } from './approvals-schema.ts'
import type { AuditConfig } from './audit-schema.ts'
import type { SecretsConfig } from './secrets-schema.ts'
import type { PackageSources } from './package-sources.ts'

/** Everything hypervisord runs by: file, environment and flags together. Paths are absolute. */
export interface HostConfig {
  /** The file that was read, if any. */
  readonly file: string | undefined
  /** `file:line:column` of a place in it, or of the nearest one around that. */
  readonly locate: (path: readonly PropertyKey[]) => string
  readonly dataDirectory: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Only bundled plugins start. */
  readonly safeMode: boolean
  readonly server: ServerConfig
  readonly plugins: PluginsConfig
  /** Instances by name, handles still in place. */
  readonly providers: ReadonlyMap<string, InstanceConfig>
  readonly exports: ExportsConfig
  readonly secrets: SecretsConfig
  readonly audit: AuditConfig
  /** What was understood although it is not clean, as lines. */
  readonly notices: readonly string[]
}

/** Where the management API listens. */
export interface ServerConfig {
  readonly unixSocket: string | undefined
  readonly listen: { readonly host: string; readonly port: number; readonly tls?: TlsFiles | undefined } | undefined
  readonly allowedHosts: readonly string[]
  /** Whose pages may call, each with a token. */
  readonly allowedOrigins: readonly string[]
}

/** Which plugins there are and what they may use. */
export interface PluginsConfig {
  /** False: only the bundled ones. */
  readonly external: boolean
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
  readonly directories: readonly string[]
  readonly hotReload: boolean
  readonly providers: ReadonlyMap<string, ProviderLimits>
  /** The plugin that a provider type belongs to, by type. */
  readonly typeOwners: ReadonlyMap<string, string>
  /** By id or the part after the slash; wins over {@link providers}. */
  readonly perPlugin: ReadonlyMap<string, PluginOverrides>
  /** Ceilings of plugins that are not bundled. */
  readonly limits: Partial<Limits>
  readonly onLimit: Partial<Record<LimitName, LimitAction>>
  readonly namespaces: Readonly<Record<string, NamespaceSettings>>
  /** Provider types asked instead of one, in order. */
  readonly fallbacks: ReadonlyMap<string, readonly string[]>
  /** By which packages are judged. */
  readonly trustPolicy: TrustPolicyFiles | undefined
  /** Whether plugins in {@link directories} need no signature, and are granted all they ask for. */
  readonly development: boolean
  /** What is installed. */
  readonly lock: string
  /** Where packages may be installed from; paths are absolute, handles still in place. */
  readonly sources: PackageSources
  /** Whether the code of packages is looked through before they are installed and before they start. */
  readonly scan: boolean
  /** Commands and plugins that do so as well. */
  readonly scanners: readonly ScannerConfig[]
  /** What stands around plugins that are not bundled. */
  readonly isolation: 'os' | 'process'
  /** What is added to HTTPS requests of plugins, by `host:port`; handles still in place. */
  readonly credentials: ReadonlyMap<string, AttachedCredentials>
  /** File with certificates trusted there beside the usual ones. */
  readonly credentialsCa: string | undefined
  readonly approvals: ApprovalsConfig
  /** Permissions that may go without exact enforcement, by plugin. */
  readonly waive: ReadonlyMap<string, readonly string[]>
  /** Which run in audit mode, by id or the part after the slash; `true`: all that can. */
  readonly audit: true | readonly string[]
  readonly config: ReadonlyMap<string, unknown>
}

/** Where the policy is. Paths are absolute. */
export interface TrustPolicyFiles {
  readonly file: string
  /** The first root of those who sign it; undefined for one that is taken as it stands. */
  readonly root: string | undefined
}

/** What looks through packages before they are installed and before they start. */
export type ScannerConfig = CommandScannerConfig | PluginScannerConfig

/** A plugin that does. */
export interface PluginScannerConfig {
  readonly kind: 'plugin'
  readonly name: string
  /** Full id. */
  readonly plugin: string
  /** Of the only bytes of it that count; undefined: whatever its publisher signed. */
  readonly digest: string | undefined
  readonly timeoutMs: number
  readonly freshMs: number
}

/** A command that does. */
export interface CommandScannerConfig {
  readonly kind: 'command'
  readonly name: string
  readonly argv: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly freshMs: number
  readonly sandbox: boolean
  readonly network: boolean
}

/** Headers that requests of some plugins to a place are given. */
export interface AttachedCredentials {
  /** Full ids. */
  readonly plugins: readonly string[]
  readonly headers: Readonly<Record<string, string>>
}

/** What the operator says about a plugin, whatever it asks for itself. */
export interface PluginOverrides {
  readonly tier?: Extract<Tier, 'trusted' | 'contained' | 'confined'> | undefined
  readonly criticality?: 'required' | 'optional' | 'fail-closed' | undefined
  readonly limits: Partial<Limits>
  readonly onLimit: Partial<Record<LimitName, LimitAction>>
}

/** Limits of one provider type. */
export interface ProviderLimits extends PluginOverrides {
  readonly timeoutMs?: number | undefined
  readonly maxConcurrentExports?: number | undefined
}

/** One configured instance of a provider: its type, and what `open` is given once handles are resolved. */
export interface InstanceConfig {
  readonly type: string
  /** Members of ProviderConfig as written. */
  readonly options: Readonly<Record<string, unknown>>
}

/** How exports run. */
export interface ExportsConfig {
  readonly directory: string
  readonly allow: readonly string[]
  readonly maxConcurrent: number
  readonly maxQueued: number
  readonly maxAttempts: number
  readonly retryDelayMs: number
  readonly maxCrashes: number
  readonly drainTimeoutMs: number
  readonly keepFinished: number
  readonly maxLogLines: number
}
