import { isDeepStrictEqual } from 'node:util'
import type { HostConfig } from '../config/host-config.ts'

/** What of a configuration may change while the daemon runs: settings of plugins, instances of providers, and whose a type is. */
export interface LiveConfig extends HostConfig {
  /** Takes these parts of a configuration that was read again; answers what is different. */
  readonly take: (next: HostConfig) => ConfigChange
  /** Puts settings of one plugin back, after its new version of them did not work. */
  readonly putBack: (key: string, settings: unknown) => void
}

/** What is different in a configuration that was read again. */
export interface ConfigChange {
  /** Keys of `plugins.config`, with what was there before. */
  readonly plugins: ReadonlyMap<string, unknown>
  /** Names of instances, and the provider types of those before and now. */
  readonly instances: readonly string[]
  readonly types: ReadonlySet<string>
  /** Sections that only a restart takes up. */
  readonly later: readonly string[]
}

/** The configuration as it is now, wherever it is read from. */
export function liveConfig(config: HostConfig): LiveConfig {
  let now = config
  return {
    ...config,
    get plugins() {
      return now.plugins
    },
    locate: (path) => now.locate(path),
    get providers() {
      return now.providers
    },
    take: (next) => {
      const before = now
      now = {
        ...before,
        plugins: { ...before.plugins, config: next.plugins.config, typeOwners: next.plugins.typeOwners },
        providers: next.providers,
        locate: next.locate,
      }
      const instances = differing(before.providers, next.providers)
      const types = instances.flatMap((name) => [before.providers.get(name)?.type, next.providers.get(name)?.type])
      return {
        plugins: new Map(
          differing(before.plugins.config, next.plugins.config).map((key) => [key, before.plugins.config.get(key)]),
        ),
        instances,
        types: new Set(types.filter((type) => type !== undefined)),
        later: laterSections(config, next),
      }
    },
    putBack: (key, settings) => {
      const rest = [...now.plugins.config].filter(([each]) => each !== key)
      const kept = settings === undefined ? rest : [...rest, [key, settings] as const]
      now = { ...now, plugins: { ...now.plugins, config: new Map(kept) } }
    },
  }
}

function differing(before: ReadonlyMap<string, unknown>, next: ReadonlyMap<string, unknown>): readonly string[] {
  return [...new Set([...before.keys(), ...next.keys()])].filter((key) => !isDeepStrictEqual(before.get(key), next.get(key)))
}

/** Compared with what the daemon was started with. */
function laterSections(started: HostConfig, next: HostConfig): readonly string[] {
  const sections = ['dataDirectory', 'logLevel', 'server', 'exports', 'secrets', 'audit'] as const
  const names: Readonly<Record<(typeof sections)[number], string>> = {
    dataDirectory: 'data_directory',
    logLevel: 'log_level',
    server: 'server',
    exports: 'exports',
    secrets: 'secrets',
    audit: 'audit',
  }
  const { config: _started, typeOwners: _startedOwners, ...startedPlugins } = started.plugins
  const { config: _next, typeOwners: _nextOwners, ...nextPlugins } = next.plugins
  return [
    ...sections.filter((section) => !isDeepStrictEqual(started[section], next[section])).map((section) => names[section]),
    ...(isDeepStrictEqual(startedPlugins, nextPlugins) ? [] : ['plugins (but for plugins.config)']),
  ]
}
