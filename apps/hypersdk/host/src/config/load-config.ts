import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { PlatformError } from '@backplane/sdk'
import { hypersdkErrors } from '../errors.ts'
import { schemaProblems } from '../schema-problems.ts'
import { brokenHandles } from '../secrets/resolve-handles.ts'
import { auditConfig } from './audit-schema.ts'
import { ConfigFile } from './config-schema.ts'
import { defaultPlaces, type DefaultPlaces, type Environment } from './default-places.ts'
import type { HostConfig, InstanceConfig, PluginOverrides, PluginsConfig, ServerConfig } from './host-config.ts'
import { environmentNotices, isLogLevel } from './environment-notices.ts'
import { fileNotices } from './file-notices.ts'
import { listenProblem, parseListenAddress } from './listen-address.ts'
import type { PackageSources } from './package-sources.ts'
import { scannersOf } from './scanners-schema.ts'
import { secretsConfig } from './secrets-schema.ts'
import { parseYamlTree, type ConfigProblem } from './yaml-tree.ts'

/** What flags say; each wins over the environment, which wins over the file. */
export interface ConfigFlags {
  readonly addr?: string | undefined
  readonly socket?: string | undefined
  readonly dataDirectory?: string | undefined
  readonly logLevel?: HostConfig['logLevel'] | undefined
  readonly safeMode?: boolean
  readonly development?: boolean
}

/** Surroundings a configuration is read in; tests replace them. */
export interface ConfigSurroundings {
  readonly env: Environment
  readonly uid: number | undefined
  readonly cwd: string
}

/**
 * Reads the configuration. Without a path the default place is tried, and its absence is fine. Relative paths in a
 * file start at the file's own directory, those in flags and environment at the working directory.
 * Errors: `CONFIG_UNREADABLE`; `CONFIG_INVALID` with every problem in `details.problems`, in order of line.
 */
export async function loadConfig(
  path: string | undefined,
  flags: ConfigFlags = {},
  surroundings: ConfigSurroundings = { env: process.env, uid: process.getuid?.(), cwd: process.cwd() },
): Promise<HostConfig> {
  const places = defaultPlaces(surroundings.env, surroundings.uid, surroundings.cwd)
  const { env } = surroundings
  refuseEmpty({ '--config': path, '--data-directory': flags.dataDirectory })
  const wanted = path ?? given(env, 'HYPERSDK_CONFIG')
  const file = resolve(surroundings.cwd, wanted ?? places.configFile)
  const text = await readText(file, wanted === undefined)
  const tree = parseYamlTree(text ?? '', wanted ?? file)
  const problems: ConfigProblem[] = [...tree.problems]
  const parsed = ConfigFile.safeParse(tree.value)
  if (!parsed.success) {
    for (const one of schemaProblems(ConfigFile, parsed.error)) problems.push(tree.problem(one.path, one.message))
  }
  const raw = parsed.data ?? ConfigFile.parse({})
  if (Array.isArray(raw.plugins.enabled) && raw.plugins.allow !== undefined) {
    problems.push(tree.problem(['plugins', 'enabled'], 'is a list, and so is allow: keep one of them'))
  }
  if (!raw.plugins.scan && Object.keys(raw.plugins.scanners).length > 0) {
    problems.push(tree.problem(['plugins', 'scanners'], 'names what would not look, for scan is false: keep one of them'))
  }
  const filledIn = {
    providers: raw.providers,
    plugins: { config: raw.plugins.config, sources: raw.plugins.sources, credentials: raw.plugins.credentials },
  }
  for (const { path: place, handle } of brokenHandles(filledIn)) {
    problems.push(tree.problem(place, `${handle} names nothing to fill in; write \${env:NAME} or \${secret:name}`))
  }
  if (problems.length > 0) throw invalid(wanted ?? file, problems)
  const base = text === undefined ? surroundings.cwd : dirname(file)
  return {
    ...assemble(raw, { base, places, flags, surroundings }),
    file: text === undefined ? undefined : file,
    locate: (place) => placeText(tree.problem(place, '')),
    notices: [
      ...[...tree.notices, ...fileNotices(raw, tree, { base, env })].map(problemLine),
      ...environmentNotices(env, raw.secrets.environment_prefix),
    ],
  }
}

function placeText({ file, line, column }: ConfigProblem): string {
  return `${file}:${line}:${column}`
}

/** One problem as a line an editor can jump to: `file:line:column: path: message`. */
export function problemLine(problem: ConfigProblem): string {
  const path = problem.path === '' ? '' : `${problem.path}: `
  return `${problem.file}:${problem.line}:${problem.column}: ${path}${problem.message}`
}

async function readText(file: string, mayBeMissing: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    if (mayBeMissing && code === 'ENOENT') return undefined
    throw hypersdkErrors.error('CONFIG_UNREADABLE', { file, reason: String(code ?? error) }, { cause: error })
  }
}

function invalid(file: string, problems: readonly ConfigProblem[]): PlatformError {
  const ordered = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const lines = ordered.map(problemLine)
  return hypersdkErrors.error(
    'CONFIG_INVALID',
    { file, count: lines.length, first: lines[0] ?? '' },
    { details: { problems: ordered, lines } },
  )
}

interface Around {
  readonly base: string
  readonly places: DefaultPlaces
  readonly flags: ConfigFlags
  readonly surroundings: ConfigSurroundings
}

function assemble(raw: ConfigFile, around: Around): Omit<HostConfig, 'file' | 'locate' | 'notices'> {
  const { env, cwd } = around.surroundings
  const inFile = (path: string): string => resolve(around.base, path)
  const elsewhere = around.flags.dataDirectory ?? given(env, 'HYPERSDK_DATA_DIRECTORY')
  const dataDirectory =
    elsewhere === undefined ? inFile(raw.data_directory ?? around.places.dataDirectory) : resolve(cwd, elsewhere)
  const level = around.flags.logLevel ?? levelIn(env) ?? raw.log_level
  const exportsDirectory = given(env, 'HYPERSDK_EXPORT_DIRECTORY')
  const { exports } = raw
  return {
    dataDirectory,
    logLevel: level,
    safeMode: around.flags.safeMode === true,
    server: serverOf(raw, around, dataDirectory),
    plugins: pluginsOf(raw, around, dataDirectory),
    providers: new Map(Object.entries(raw.providers).map(([name, one]) => [name, instanceOf(name, one)])),
    exports: {
      directory:
        exportsDirectory === undefined
          ? inFile(exports.directory ?? join(dataDirectory, 'exports'))
          : resolve(cwd, exportsDirectory),
      allow: exports.allow.map(inFile),
      maxConcurrent: exports.max_concurrent,
      maxQueued: exports.max_queued,
      maxAttempts: exports.max_attempts,
      retryDelayMs: exports.retry_delay,
      maxCrashes: exports.max_crashes,
      drainTimeoutMs: exports.drain_timeout,
      keepFinished: exports.keep_finished,
      maxLogLines: exports.max_log_lines,
    },
    secrets: secretsConfig(raw.secrets, inFile),
    audit: auditConfig(raw.audit, dataDirectory, inFile),
  }
}

function serverOf(raw: ConfigFile, around: Around, dataDirectory: string): ServerConfig {
  const { env, cwd } = around.surroundings
  const socketGiven = around.flags.socket ?? env['HYPERSDK_SOCKET']
  const elsewhere = dataDirectory !== around.places.dataDirectory
  const socketDefault = elsewhere ? join(dataDirectory, 'hypervisord.sock') : around.places.socket
  const inFile = raw.server.unix_socket === false ? undefined : resolve(around.base, raw.server.unix_socket ?? socketDefault)
  const addrGiven = around.flags.addr ?? env['HYPERSDK_ADDR'] ?? env['DAEMON_ADDR']
  const listenText = addrGiven ?? (raw.server.listen === false ? undefined : (raw.server.listen ?? '127.0.0.1:8080'))
  const isListening = listenText !== undefined && listenText !== ''
  const problem = isListening ? listenProblem(listenText, raw.server.tls !== undefined) : undefined
  if (problem !== undefined) throw hypersdkErrors.error('DAEMON_USAGE', { reason: `the address ${listenText} ${problem}` })
  const { tls } = raw.server
  const files = tls && { certificate: resolve(around.base, tls.certificate), key: resolve(around.base, tls.key) }
  const address = isListening ? parseListenAddress(listenText) : null
  return {
    unixSocket: socketGiven === undefined ? inFile : socketGiven === '' ? undefined : resolve(cwd, socketGiven),
    listen: address === null ? undefined : { ...address, ...(files === undefined ? {} : { tls: files }) },
    allowedHosts: raw.server.allowed_hosts,
    allowedOrigins: raw.server.allowed_origins,
  }
}

function pluginsOf(raw: ConfigFile, around: Around, dataDirectory: string): PluginsConfig {
  const { plugins } = raw
  const fromEnvironment = (around.surroundings.env['HYPERSDK_PLUGIN_PATH'] ?? '').split(':').filter((path) => path !== '')
  const directories = plugins.directories?.map((path) => resolve(around.base, path)) ?? around.places.pluginDirectories
  return {
    external: plugins.enabled !== false,
    allow: Array.isArray(plugins.enabled) ? plugins.enabled : plugins.allow,
    deny: plugins.disabled,
    directories: [...new Set([...directories, ...fromEnvironment.map((path) => resolve(around.surroundings.cwd, path))])],
    hotReload: plugins.hot_reload,
    providers: new Map(
      Object.entries(plugins.providers).map(([type, one]) => [
        type,
        { ...overridesOf(one), timeoutMs: one.timeout, maxConcurrentExports: one.max_concurrent_exports },
      ]),
    ),
    typeOwners: new Map(
      Object.entries(plugins.providers).flatMap(([type, { plugin }]) => (plugin === undefined ? [] : [[type, plugin]])),
    ),
    perPlugin: new Map(Object.entries(plugins.per_plugin).map(([id, one]) => [id, overridesOf(one)])),
    limits: plugins.limits,
    onLimit: plugins.on_limit,
    namespaces: plugins.namespaces,
    fallbacks: new Map(Object.entries(plugins.fallbacks)),
    trustPolicy: trustPolicyOf(plugins.trust_policy, (path) => resolve(around.base, path)),
    development: around.flags.development === true || plugins.development,
    lock: resolve(around.base, plugins.lock ?? join(dataDirectory, 'backplane.lock')),
    sources: sourcesOf(plugins.sources, (path) => resolve(around.base, path)),
    scan: plugins.scan,
    scanners: scannersOf(plugins.scanners, around.surroundings.env),
    isolation: plugins.isolation,
    credentials: new Map(Object.entries(plugins.credentials)),
    credentialsCa: plugins.credentials_ca === undefined ? undefined : resolve(around.base, plugins.credentials_ca),
    approvals: { demand: plugins.approvals.demand, timeoutMs: plugins.approvals.timeout },
    waive: new Map(Object.entries(plugins.waive)),
    audit: plugins.audit === false ? [] : plugins.audit,
    config: new Map(Object.entries(plugins.config)),
  }
}

function trustPolicyOf(
  written: ConfigFile['plugins']['trust_policy'],
  absolute: (path: string) => string,
): PluginsConfig['trustPolicy'] {
  if (written === undefined) return undefined
  return typeof written === 'string'
    ? { file: absolute(written), root: undefined }
    : { file: absolute(written.file), root: absolute(written.root) }
}

function sourcesOf(sources: PackageSources, absolute: (path: string) => string): PackageSources {
  const git = Object.entries(sources.git).map(([host, { ca_file: file, ...one }]) => [
    host,
    file === undefined ? one : { ...one, ca_file: absolute(file) },
  ])
  const indexes = Object.entries(sources.indexes).map(([name, one]) => [name, { ...one, keys: one.keys.map(absolute) }])
  return {
    ...sources,
    directories: sources.directories.map(absolute),
    git_folders: sources.git_folders.map(absolute),
    git: Object.fromEntries(git),
    indexes: Object.fromEntries(indexes),
  }
}

function overridesOf(one: ConfigFile['plugins']['per_plugin'][string]): PluginOverrides {
  return { tier: one.tier, criticality: one.criticality, limits: one.limits, onLimit: one.on_limit }
}

function instanceOf(name: string, written: ConfigFile['providers'][string]): InstanceConfig {
  const { type, timeout, ...rest } = written
  const options = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return { type: type ?? name, options: timeout === undefined ? options : { ...options, timeout_ms: timeout } }
}

/** A variable that is set to something. */
function given(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name]
}

function levelIn(env: Environment): HostConfig['logLevel'] | undefined {
  const level = given(env, 'HYPERSDK_LOG_LEVEL')
  if (level === undefined) return isLogLevel(env['LOG_LEVEL']) ? env['LOG_LEVEL'] : undefined
  if (isLogLevel(level)) return level
  throw hypersdkErrors.error('DAEMON_USAGE', {
    reason: `HYPERSDK_LOG_LEVEL is ${level}; it may be debug, info, warn or error`,
  })
}

function refuseEmpty(flags: Readonly<Record<string, string | undefined>>): void {
  for (const [flag, value] of Object.entries(flags)) {
    if (value === '') throw hypersdkErrors.error('DAEMON_USAGE', { reason: `${flag} is empty; name a path or leave it out` })
  }
}
