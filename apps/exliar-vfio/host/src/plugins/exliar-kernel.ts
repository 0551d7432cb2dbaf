import { join } from 'node:path'
import {
  createKernel,
  type ApprovalOptions,
  type DeclaredManifest,
  type Kernel,
  type Log,
  type PluginSettings,
  type Policy,
} from '@backplane/kernel'
import { confined, trusted } from '@backplane/runtimes'
import type { Point } from '@backplane/sdk'
import { bundled, directory } from '@backplane/sources'
import { directorySecrets, environmentSecrets, firstSecret, sqliteStore } from '@backplane/storage'
import { allPoints, permissions } from '@exliar-vfio/points'
import { type ExliarConfig, standardDirectories } from '../config/exliar-config.ts'
import { tomlDialect } from '../plugin-toml/toml-dialect.ts'
import { pluginApiVersion } from '../product.ts'
import { bundledFolders, bundledIgnore, bundledNames, hostModules } from './bundled-plugins.ts'
import { coreId, corePlugin } from './core-plugin.ts'
import type { CoreServices } from './core-services.ts'
import { exliarTrust, type ExliarTrust } from './plugin-trust.ts'

/** What the program's kernel is made of. */
export interface ExliarKernelOptions {
  readonly config: ExliarConfig
  readonly services: CoreServices
  /** Where plugins keep their files, what was approved, and which of them are disabled; made (0700) when needed. */
  readonly stateDirectory: string
  readonly log: Log
  readonly env: Readonly<Record<string, string | undefined>>
  /** Who is asked before critical operations; without it they are refused. */
  readonly approvals?: ApprovalOptions
  /** Starts no plugin that does not ship with the program. */
  readonly safeMode?: boolean
}

/** The kernel and what was approved for its plugins. Dispose it to stop every plugin. */
export interface ExliarKernel extends AsyncDisposable {
  readonly kernel: Kernel
  readonly trust: ExliarTrust
}

/**
 * Starts the kernel with everything a plugin of this host may fill or use. Plugins start at their first use. Errors: those of
 * the policy and of the store.
 */
export async function exliarKernel(options: ExliarKernelOptions): Promise<ExliarKernel> {
  const { config, services, stateDirectory, log, env, approvals, safeMode = false } = options
  await using held = new AsyncDisposableStack()
  const directories = [...config.plugins.directories, ...standardDirectories(env)]
  const store = held.use(sqliteStore(join(stateDirectory, 'plugins.sqlite')))
  const trust = await exliarTrust(config, { stateDirectory, directories, store })
  const packages = join(stateDirectory, 'packages')
  const guests = { modules: hostModules() }
  const kernel = held.use(
    await createKernel({
      host: { name: 'exliar', api: pluginApiVersion },
      points: pointsOf(config),
      permissions,
      sources: [
        bundled([corePlugin(services), ...bundledFolders()], { store: packages, ignore: bundledIgnore }),
        ...(config.plugins.enabled
          ? [directory(directories, { store: packages, watch: false, dialects: [tomlDialect(bundledNames)] })]
          : []),
      ],
      runtimes: [trusted(guests), confined(guests)],
      admission: trust.admission,
      settings: settingsOf(config),
      policy: policyOf(config),
      store,
      dataDirectory: stateDirectory,
      secrets: firstSecret([
        ...(config.secrets.directory === undefined ? [] : [directorySecrets(config.secrets.directory)]),
        environmentSecrets(env, 'EXLIAR_SECRET_'),
      ]),
      env,
      log,
      safeMode,
      watch: false,
      ...(approvals === undefined ? {} : { approvals }),
    }),
  )
  const release = held.move()
  return { kernel, trust, [Symbol.asyncDispose]: () => release.disposeAsync() }
}

/** Every point, its hooks with the patience that the configuration says. */
function pointsOf({ plugins: { hook_timeout_seconds: seconds } }: ExliarConfig): readonly Point[] {
  if (seconds === undefined) return allPoints
  const patience = { timeoutMs: seconds * 1_000 }
  return allPoints.map((point) => (point.kind === 'hook' ? Object.assign({}, point, patience) : point))
}

function settingsOf(config: ExliarConfig): (id: string, manifest: DeclaredManifest) => PluginSettings {
  return (id) => {
    const audit = auditOf(id, config)
    const key = [id, id.slice(id.indexOf('/') + 1)].find((one) => Object.hasOwn(config.plugins.config, one))
    if (key === undefined) return { audit }
    const path = ['plugins', 'config', key]
    return {
      audit,
      config: config.plugins.config[key],
      from: `${config.file ?? ''}: plugins.config.${key}`,
      locate: (inside) => `${config.locate([...path, ...inside])}: ${[...path, ...inside].join('.')}`,
    }
  }
}

/** One that is named is refused where it cannot be; of all, those that can. */
function auditOf(id: string, { plugins: { audit } }: ExliarConfig): NonNullable<PluginSettings['audit']> {
  if (audit === true) return id === coreId ? false : 'where-possible'
  return audit !== false && [id, id.slice(id.indexOf('/') + 1)].some((one) => audit.includes(one))
}

function policyOf({ plugins, file = 'config.toml' }: ExliarConfig): Policy {
  const { allow, deny, isolation, waive } = plugins
  const own = [coreId, ...[...bundledNames].map((name) => `exliar/${name}`)]
  return {
    ...(allow === undefined ? {} : { allow: [...own, ...allow] }),
    deny,
    tier: ({ id }) => (id === coreId ? 'trusted' : 'confined'),
    isolation: ({ origin }) => (origin === 'bundled' ? undefined : { floor: isolation }),
    waivedIn: `plugins.waive of ${file}`,
    waive: ({ id }) => waive[id] ?? waive[id.slice(id.indexOf('/') + 1)] ?? [],
  }
}
