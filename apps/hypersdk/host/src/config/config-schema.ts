import { durationMs } from '@backplane/kernel'
import { z } from 'zod'
import { Approvals } from './approvals-schema.ts'
import { Audit } from './audit-schema.ts'
import { listenProblem } from './listen-address.ts'
import { PackageSources } from './package-sources.ts'
import { LimitActions, Namespaces, PluginLimits, quantity } from './plugin-limits.ts'
import { Scanners } from './scanners-schema.ts'
import { Secrets } from './secrets-schema.ts'

const Duration = quantity(durationMs, 'must be a duration with a unit, such as "30s"')
/** Of a call: with none at all nothing could ever be done. */
const Timeout = quantity(durationMs, 'must be a duration with a unit, such as "30s", of at least 1ms', 1)
const countRule = 'must be a whole number of at least 1'
const nameRule = 'a name may hold letters, digits, ".", "_" and "-", 64 at most, and begins with a letter or digit'
const Count = z.int({ error: countRule }).min(1, { error: countRule })
const Names = z.array(z.string().min(1))
const Path = z.string().min(1, { error: 'must not be empty' })

/** What an operator says about one plugin, whatever it asks for itself. */
const overrides = {
  tier: z.enum(['trusted', 'contained', 'confined']).optional(),
  criticality: z.enum(['required', 'optional', 'fail-closed']).optional(),
  limits: PluginLimits.prefault({}),
  on_limit: LimitActions.prefault({}),
}

/** Limits of one provider type, whichever plugin supplies it. */
const ProviderLimits = z.strictObject({
  /** Longest one call to the provider, except for exports. */
  timeout: Timeout.optional(),
  max_concurrent_exports: Count.optional(),
  /** The plugin that it belongs to, whoever else says that it provides it. */
  plugin: z
    .string()
    .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, { error: 'must be a full id, publisher/name' })
    .optional(),
  ...overrides,
})

/** Headers that the daemon adds to requests of these plugins to a place. */
const Credentials = z.strictObject({
  /** Full ids: a name that another publisher could take is not enough for a secret. */
  plugins: z.array(z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, { error: 'must be a full id, publisher/name' })).min(1),
  headers: z.record(z.string().regex(/^[a-z0-9-]+$/i, { error: 'is no name of a header' }), z.string()),
})

/** A file that is taken as it stands, or a signed one with the first root of those who sign it. */
const TrustPolicy = z.union([Path, z.strictObject({ file: Path, root: Path })], {
  error: 'must be a path, or {file, root} for a signed one',
})

const Plugins = z.strictObject({
  /** A switch for plugin directories, or the list that {@link allow} is. */
  enabled: z.union([z.boolean(), Names], { error: 'must be true, false or a list of plugin names' }).default(true),
  /** Only these plugins; wins over `disabled`. */
  allow: Names.optional(),
  disabled: Names.default([]),
  directories: z.array(Path).optional(),
  hot_reload: z.boolean().default(true),
  providers: z.record(z.string(), ProviderLimits).default({}),
  /** The same for plugins by id or by the part after the slash; wins over what is said of their provider types. */
  per_plugin: z.record(z.string(), z.strictObject(overrides)).default({}),
  /** Ceilings of plugins that were dropped in; they may ask for less. */
  limits: PluginLimits.prefault({}),
  /** What follows when a plugin goes over a limit. */
  on_limit: LimitActions.prefault({}),
  namespaces: Namespaces.prefault({}),
  /** File with keys, publishers, lists and advisories, by which packages are judged; JSON. Without it nobody is trusted. With a root, it is signed. */
  trust_policy: TrustPolicy.optional(),
  /** Takes plugins in plugin directories without a signature, and with all they ask for. Never in production. */
  development: z.boolean().default(false),
  /** What is installed and approved; default: `backplane.lock` in the data directory. */
  lock: Path.optional(),
  /** Where packages may be installed from. */
  sources: PackageSources.prefault({}),
  /** Whether the code of packages is looked through before they are installed and before they start. */
  scan: z.boolean().default(true),
  /** Commands that do so as well, by the name their findings begin with. */
  scanners: Scanners.prefault({}),
  /** What stands around plugins that were dropped in: a sandbox of the operating system, or only a process of their own. */
  isolation: z.enum(['os', 'process']).default('os'),
  /** Provider types asked, in this order, while one takes no calls or fails again and again. */
  fallbacks: z
    .record(z.string(), Names.min(1, { error: 'names no provider types' }))
    .superRefine(checkFallbacks)
    .default({}),
  /** What is added to HTTPS requests of plugins, by place; the plugin never holds it. */
  credentials: z
    .record(z.string().regex(/^[a-z0-9.-]+:\d{1,5}$/, { error: 'must be host:port in small letters' }), Credentials)
    .default({}),
  /** Certificates trusted there beside the usual ones, PEM. */
  credentials_ca: Path.optional(),
  /** What a person is asked before it is done. */
  approvals: Approvals.prefault({}),
  /** Permissions a plugin may use although this machine cannot enforce them exactly, such as `exec`. */
  waive: z.record(z.string(), Names).default({}),
  /** Plugins that run in audit mode, in which what they use of their grants is told; `true`: all of which that can be told. */
  audit: z.union([z.boolean(), Names]).default(false),
  /** Settings of plugins by id or by the part after the slash, checked against the plugin's own schema. */
  config: z.record(z.string(), z.unknown()).default({}),
})

/** Each one once, and none in its own place. */
function checkFallbacks(fallbacks: Readonly<Record<string, readonly string[]>>, context: z.RefinementCtx): void {
  for (const [type, others] of Object.entries(fallbacks)) {
    for (const [at, other] of others.entries()) {
      const message = other === type ? 'is the type itself' : others.indexOf(other) < at ? 'is named twice' : undefined
      if (message !== undefined) context.addIssue({ code: 'custom', message, path: [type, at] })
    }
  }
}

/** One way to reach a provider, with its own credentials. */
const Instance = z.strictObject({
  /** The provider's type; default: the instance's name. */
  type: z.string().min(1).optional(),
  endpoint: z.string().optional(),
  host: z.string().optional(),
  port: z.int().min(1).max(65_535).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  region: z.string().optional(),
  insecure: z.boolean().optional(),
  timeout: Timeout.optional(),
  metadata: z.record(z.string(), z.unknown()).default({}),
})

/** A certificate with those between it and its authority, and its key, both PEM. */
const Tls = z.strictObject({ certificate: Path, key: Path })

const Server = z
  .strictObject({
    /** Path of the socket for local tools; false for none. */
    unix_socket: z.union([Path, z.literal(false)], { error: 'must be a path or false' }).optional(),
    /** Address with port, or false for none. */
    listen: z.union([z.string(), z.literal(false)], { error: 'must be an address such as 127.0.0.1:8080, or false' }).optional(),
    /** Speaks TLS on that address; needed where other machines reach it. */
    tls: Tls.optional(),
    /** Names, beside loopback, under which browsers and proxies may call. */
    allowed_hosts: Names.default([]),
    /** Web pages that may call, each with a token: their origins, such as `https://console.example`. */
    allowed_origins: z.array(z.string().superRefine(checkOrigin)).default([]),
  })
  .superRefine(({ listen, tls }, context) => {
    const message = listen === undefined || listen === false ? undefined : listenProblem(listen, tls !== undefined)
    if (message !== undefined) context.addIssue({ code: 'custom', message, path: ['listen'] })
  })

/** Compared as a browser writes it, so it must be written the same. */
function checkOrigin(text: string, context: z.RefinementCtx): void {
  const url = URL.parse(text)
  const isOrigin = (url?.protocol === 'https:' || url?.protocol === 'http:') && url.origin === text
  if (!isOrigin)
    context.addIssue({ code: 'custom', message: 'must be an origin such as https://console.example, without a path' })
}

const Exports = z.strictObject({
  /** Where exports go that name no place of their own. */
  directory: Path.optional(),
  /** Other directories a job may name. */
  allow: z.array(Path).default([]),
  max_concurrent: Count.default(4),
  /** Jobs waiting; more are refused. */
  max_queued: Count.default(10_000),
  /** Tries of one job while its errors are retryable. */
  max_attempts: Count.default(3),
  /** Before the second try; doubles with each, up to an hour. */
  retry_delay: Duration.default(5000),
  /** Deaths of the daemon one job may be running at before it is given up. */
  max_crashes: Count.default(3),
  /** How long a stopping daemon waits for running exports before it interrupts them. */
  drain_timeout: Duration.default(30_000),
  /** Ended jobs kept. */
  keep_finished: Count.default(10_000),
  /** Log lines kept of one job, newest first to stay. */
  max_log_lines: Count.default(1000),
})

/** The configuration file as written. Unknown keys are problems everywhere. */
export const ConfigFile = z.strictObject({
  plugins: Plugins.prefault({}),
  providers: z.record(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, { error: nameRule }), Instance).default({}),
  server: Server.prefault({}),
  data_directory: Path.optional(),
  log_level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  exports: Exports.prefault({}),
  secrets: Secrets.prefault({}),
  audit: Audit.prefault({}),
})
/** What {@link ConfigFile} yields: defaults filled in, durations in ms. */
export type ConfigFile = z.output<typeof ConfigFile>
