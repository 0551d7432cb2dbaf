import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createKernel, type ApprovalOptions, type Kernel, type Store } from '@backplane/kernel'
import { confined, contained, probeSystem, trusted, type EgressQuestion } from '@backplane/runtimes'
import { automaticProfiles, guard, serve, tokenFile, tokenStore, type Served } from '@backplane/server'
import { abandonedEntry, checkSecretsDirectory, sqliteStore } from '@backplane/storage'
import { scanner } from '@backplane/sdk'
import { afterExport, beforeExport, provider } from '@hypersdk/points'
import { hostAccess } from '../api/host-access.ts'
import { hostApi } from '../api/host-api.ts'
import { withOlderMembers } from '../api/older-members.ts'
import { yamlTypes } from '../api/submitted-jobs.ts'
import type { Environment } from '../config/default-places.ts'
import type { HostConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import { hostInstalls } from '../installs/host-installs.ts'
import { fetcherPlaces, indexesAmong, packageFetchers } from '../installs/package-fetchers.ts'
import { pluginUsers } from '../installs/plugin-users.ts'
import { JobLedger } from '../jobs/job-ledger.ts'
import { JobRunner } from '../jobs/job-runner.ts'
import { JobStore } from '../jobs/job-store.ts'
import { attachedCredentials } from '../providers/attached-credentials.ts'
import { PluginNames } from '../providers/plugin-names.ts'
import { placesNamed } from '../providers/own-network.ts'
import { pluginPolicy, pluginSettings } from '../providers/plugin-settings.ts'
import { type FellBack, ProviderRegistry } from '../providers/provider-registry.ts'
import { learnEnvironment } from '../secrets/learn-environment.ts'
import type { Redactor } from '../secrets/redactor.ts'
import type { HandleSources } from '../secrets/resolve-handles.ts'
import { scannerReserved } from '../trust/package-scanners.ts'
import { TypeOwners } from '../providers/type-owners.ts'
import { secretBroker } from '../secrets/secret-broker.ts'
import { AdvisoryWatch } from './advisory-watch.ts'
import { hostModules } from './bundled-plugins.ts'
import { catalogues } from './catalogues.ts'
import { hostApprovals } from './host-approvals.ts'
import { hostAudit, type HostAudit } from './host-audit.ts'
import { lockDataDirectory } from './data-lock.ts'
import { DataWatch } from './data-watch.ts'
import type { HostLog } from './host-log.ts'
import { liveConfig } from './live-config.ts'
import { logKernelEvents } from './log-kernel-events.ts'
import { pluginSources } from './plugin-sources.ts'
import { pluginTrust, type PluginTrust } from './plugin-trust.ts'
import { hostApiVersion, productVersion } from './product.ts'
import { reloadConfig } from './reload-config.ts'
import { reloadDaemon } from './reload-daemon.ts'
import { ambiguousNames, unmatchedNames } from './unmatched-names.ts'

/** What a daemon runs by beside its configuration. */
export interface DaemonSurroundings {
  readonly env: Environment
  readonly log: HostLog
  readonly redactor: Redactor
  /** Reads the configuration again, for {@link Daemon.reload}; without it that leaves the configuration alone. */
  readonly reread?: () => Promise<HostConfig>
}

/** A running daemon. Disposing it stops it without waiting for exports; they go on with the next start. */
export interface Daemon extends AsyncDisposable {
  readonly kernel: Kernel
  readonly served: Served
  /** How long {@link Daemon.stop} waits for running exports: `exports.drain_timeout`, ms. */
  readonly drainMs: number
  /** File that holds the bearer token for TCP. */
  readonly tokenPath: string
  /**
   * Reads policy, approvals, settings of plugins and instances of providers again, lists the plugin sources, and stops what
   * may run no more. What cannot be read leaves what was read before; see {@link reloadDaemon}.
   */
  reload(): Promise<void>
  /**
   * Takes no new jobs, gives running exports `exports.drain_timeout` (or until `hurry` aborts), then interrupts them,
   * closes the API and stops every plugin. Idempotent.
   */
  stop(hurry?: AbortSignal): Promise<void>
  /**
   * Before the process ends without {@link Daemon.stop}: its jobs go on with the next start, and the log tells which plugins
   * have not ended what they are at. Waits for nothing.
   */
  leave(): void
}

/**
 * Starts hypervisord; on error nothing is left running. Errors: `DAEMON_ALREADY_RUNNING`,
 * `DAEMON_REQUIRED_PLUGIN_FAILED`, `SECRETS_EXPOSED`, and those of the databases, of listening and of the token file.
 */
export async function startDaemon(configured: HostConfig, surroundings: DaemonSurroundings): Promise<Daemon> {
  const { env, log, redactor } = surroundings
  const config = liveConfig(configured)
  await using started = new AsyncDisposableStack()
  started.use(await lockDataDirectory(config.dataDirectory))
  if (config.secrets.directory !== undefined) await checkSecretsDirectory(config.secrets.directory)
  learnEnvironment(config, env, redactor)
  for (const notice of config.notices) log.warn(notice)
  const broker = secretBroker(config.secrets, env, redactor)
  const store = started.use(sqliteStore(join(config.dataDirectory, 'plugins.sqlite')))
  const audit = started.use(await hostAudit(config.audit, { store, log, redactor }))
  const handles = { env, broker: audit.forHost(broker) }
  const trust = await pluginTrust(config, { log, store, trail: audit.trail })
  const fetching = fetcherPlaces(config.dataDirectory)
  await emptied(fetching.git)
  const fetchers = await packageFetchers(config.plugins.sources, fetching, { handles, redactor })
  const advisories = started.use(new AdvisoryWatch({ indexes: indexesAmong(fetchers), trust, log }))
  await advisories.recall()
  const owners = await TypeOwners.open(config, store)
  const approvals = started.use(hostApprovals(config, redactor))
  for (const question of approvals.queue.abandoned) audit.trail?.note(abandonedEntry(question))
  const names = notedNames(config, log)
  const parts = { log, store, trust, audit, owners, names, approvals: approvals.options }
  const kernel = started.use(await startKernel(config, { env, broker: audit.forPlugins(broker) }, parts))
  started.use(logKernelEvents(kernel, log))
  audit.watch(kernel)
  const profiles = started.use(automaticProfiles(kernel, { directory: join(config.dataDirectory, 'profiles'), log }))
  if (config.safeMode) tellLeftOut(kernel, log)
  refuseFailedStart(kernel)
  const onCloseError = (instance: string, error: unknown): void =>
    log.warn('a replaced provider instance was not closed cleanly', { instance, error })
  const onFallback = (instance: string, { from, to, reason }: FellBack): void =>
    log.warn(`${instance}: ${from} is not asked, ${to} is instead`, { reason })
  const providers = started.use(new ProviderRegistry({ kernel, config, handles, owners, redactor, onCloseError, onFallback }))
  const ids = kernel.plugins.list().map(({ id }) => id)
  for (const unmatched of unmatchedNames(config.plugins, ids)) log.warn(unmatched)
  for (const problem of trust.problems()) log.warn(problem)
  for (const missing of providers.unserved()) log.warn(missing.message, { hint: missing.hint })
  const jobs = started.use(new JobStore(join(config.dataDirectory, 'jobs.sqlite'), config.exports))
  const onUnwritable = (error: unknown): void =>
    log.error('the jobs cannot be written down; progress is lost and no new job is taken until they can', { error })
  const ledger = new JobLedger(jobs, redactor, onUnwritable, audit.exportEnded)
  const runner = new JobRunner({ kernel, providers, ledger, exports: config.exports })
  started.defer(() => runner.stop(0))
  const watch = started.use(new DataWatch(config.dataDirectory, log))
  const token = await tokenFile(join(config.dataDirectory, 'token'))
  const tokens = await tokenStore(join(config.dataDirectory, 'tokens.json'), [token])
  const paths = (): readonly string[] => kernel.plugins.list().map(({ path }) => path)
  const installs = await hostInstalls({ config, trust, fetchers, paths })
  const shared = { catalogues, log }
  const api = hostApi({
    ...shared,
    kernel,
    providers,
    ledger,
    runner,
    exports: config.exports,
    version: productVersion,
    redactor,
    tokens,
    installs,
    users: pluginUsers(config, () => runner.plugins()),
    system: probeSystem,
    problems: () => [...watch.problems(), ...audit.reasons(), ...trust.problems()],
    notReady: () => [...watch.reasons(), ...audit.reasons()],
    audit: audit.trail,
    approvals: approvals.queue,
    profiles: profiles.names,
  })
  const { allowedHosts, allowedOrigins, unixSocket, listen } = config.server
  const bodyTypes = { '/jobs/submit': yamlTypes }
  const audited = { access: hostAccess, audit: audit.requests(kernel) }
  const guarded = guard({ ...shared, ...audited, tokens, hosts: allowedHosts, origins: allowedOrigins, bodyTypes })
  const served = started.use(await serve(withOlderMembers(guarded(api)), { unixSocket, tcp: listen, log }))
  runner.start()
  advisories.follow(async () => {
    await kernel.plugins.refresh()
    await kernel.plugins.readmit()
  }, config.plugins.sources.refresh)
  const { drainTimeoutMs: drainMs } = config.exports
  const { reread } = surroundings
  const { trail } = audit
  const configuration =
    reread === undefined ? undefined : () => reloadConfig(reread, { live: config, kernel, providers, env, redactor, log, trail })
  const reload = reloadDaemon({ trust, kernel, log, trail, configuration })
  return new RunningDaemon({ kernel, served, tokenPath: token.path, drainMs, log }, started.move(), {
    reload: () => {
      void advisories.look()
      return reload()
    },
    drain: (hurry) => runner.stop(drainMs, hurry),
    leave: () => runner.leave(),
    plugins: () => [...runner.plugins(), ...providers.closing()],
  })
}

interface PartsOfDaemon {
  /** See {@link reloadDaemon}. */
  readonly reload: () => Promise<void>
  readonly drain: (hurry?: AbortSignal) => Promise<void>
  readonly leave: () => void
  /** Those they are at, and those still closing. */
  readonly plugins: () => readonly string[]
}

class RunningDaemon implements Daemon {
  readonly kernel: Kernel
  readonly served: Served
  readonly tokenPath: string
  readonly drainMs: number
  readonly #log: HostLog
  readonly #parts: AsyncDisposableStack
  readonly #work: PartsOfDaemon
  #stopping: Promise<void> | undefined

  constructor(
    shown: Pick<Daemon, 'kernel' | 'served' | 'tokenPath' | 'drainMs'> & { readonly log: HostLog },
    parts: AsyncDisposableStack,
    jobs: PartsOfDaemon,
  ) {
    this.kernel = shown.kernel
    this.served = shown.served
    this.tokenPath = shown.tokenPath
    this.drainMs = shown.drainMs
    this.#log = shown.log
    this.#parts = parts
    this.#work = jobs
  }

  reload(): Promise<void> {
    return this.#work.reload()
  }

  stop(hurry?: AbortSignal): Promise<void> {
    this.#stopping ??= this.#drainAndEnd(hurry)
    return this.#stopping
  }

  leave(): void {
    const plugins = this.#unended()
    if (plugins.length > 0) this.#log.warn('stops without waiting any longer for plugins that have not ended', { plugins })
    this.#work.leave()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stopping ??= this.#parts.disposeAsync()
    return this.#stopping
  }

  /** Plugins that a stop waits for: they are at a job or a call, or are to end and have not. */
  #unended(): readonly string[] {
    const records = this.kernel.plugins.list()
    const unended = records.filter(({ state, draining, counters }) => {
      return counters.active > 0 || draining.length > 0 || state.name === 'draining'
    })
    return [...new Set([...this.#work.plugins(), ...unended.map(({ id }) => id)])].toSorted((one, other) =>
      one < other ? -1 : 1,
    )
  }

  async #drainAndEnd(hurry?: AbortSignal): Promise<void> {
    try {
      await this.#work.drain(hurry)
    } finally {
      await this.#parts.disposeAsync()
    }
  }
}

/** A replaced plugin version may go on for as long as the longest export; the point's own limit. */
const longestExportMs = provider.methods.exportVm.timeoutMs ?? 7 * 24 * 3_600_000

/** What providers need that is more than what code nobody knows gets: they write disks and list whole clouds. */
const exportLimits = { fileBytes: 16 * 1024 ** 4, messageBytes: 8 * 1024 ** 2, timeoutMs: 60_000 }

interface KernelParts {
  readonly log: HostLog
  readonly store: Store
  readonly trust: PluginTrust
  readonly audit: HostAudit
  readonly owners: TypeOwners
  readonly names: PluginNames
  readonly approvals: ApprovalOptions
}

async function startKernel(
  config: HostConfig,
  { env, broker }: HandleSources,
  { log, store, trust, audit, owners, names, approvals }: KernelParts,
): Promise<Kernel> {
  const guests = { modules: hostModules(), temporaryDirectory: await emptied(join(config.dataDirectory, 'run')) }
  const attached = await attachedCredentials(config, { env, broker })
  const sources = pluginSources(config, { index: join(config.dataDirectory, 'plugin-index.json') }, trust.installed)
  const { idsNamed } = names
  const allowPrivate = ({ authority }: EgressQuestion): boolean => placesNamed(config, env).has(authority)
  return createKernel({
    host: { name: 'hypervisord', api: hostApiVersion },
    points: [provider, beforeExport, afterExport, scanner],
    sources: sources.map((source) => names.noting(source)),
    admission: audit.admission(trust.admission),
    runtimes: [
      trusted(guests),
      contained(guests),
      confined({ ...guests, pool: { size: 1 }, egress: { allowPrivate, ...attached } }),
    ],
    settings: pluginSettings(config, env, idsNamed),
    policy: pluginPolicy(config, {
      idsNamed,
      reserved: (claim) => owners.reserved(claim) ?? scannerReserved(config.plugins, claim),
    }),
    store,
    secrets: broker,
    ...(audit.onCall === undefined ? {} : { onCall: audit.onCall }),
    env,
    dataDirectory: join(config.dataDirectory, 'plugin-data'),
    log,
    watch: config.plugins.hotReload,
    safeMode: config.safeMode,
    limits: ({ origin }) => (origin === 'bundled' ? exportLimits : { ...exportLimits, ...config.plugins.limits }),
    onLimit: config.plugins.onLimit,
    namespaces: config.plugins.namespaces,
    fallbacks: { [provider.id]: Object.fromEntries(config.plugins.fallbacks) },
    approvals,
    times: { leaseMs: longestExportMs, approvalMs: config.plugins.approvals.timeoutMs },
  })
}

/** What a killed daemon left in it is gone; nobody else uses it, because the data directory is locked. */
async function emptied(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true })
  await mkdir(path, { mode: 0o700 })
  return path
}

/** Notes which plugins there are, and tells once of each name in the configuration that several of them have. */
function notedNames(config: HostConfig, log: HostLog): PluginNames {
  const told = new Set<string>()
  const names = new PluginNames(() => {
    for (const notice of ambiguousNames(config.plugins, names.ids())) {
      if (!told.has(notice)) log.warn(notice)
      told.add(notice)
    }
  })
  return names
}

function tellLeftOut(kernel: Kernel, log: HostLog): void {
  const leftOut = kernel.plugins.list().filter(({ origin }) => origin === 'external')
  log.warn('safe mode: plugins that were dropped in are not started', { left_out: leftOut.map(({ id }) => id) })
}

function refuseFailedStart(kernel: Kernel): void {
  if (kernel.report.ok) return
  const failed = kernel.report.plugins.filter(
    (one) => one.reason !== undefined && kernel.plugins.get(one.id)?.criticality === 'required',
  )
  const reason = failed.map((one) => `${one.id}: ${one.reason}`).join('; ')
  throw hypersdkErrors.error('DAEMON_REQUIRED_PLUGIN_FAILED', { reason })
}
