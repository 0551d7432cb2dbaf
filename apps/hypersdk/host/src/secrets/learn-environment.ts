import type { Environment } from '../config/default-places.ts'
import type { HostConfig } from '../config/host-config.ts'
import { learnSecrets } from './learn-secrets.ts'
import type { Redactor } from './redactor.ts'

/** Variables that say where and who the daemon is; blanking their values would blank every path. */
const ordinary = /^(HOME|USER|LOGNAME|PWD|HOSTNAME|TMPDIR|XDG_\w+)$/

/**
 * Makes a redactor know what `${env:…}` brings into the settings of plugins and the metadata of instances: nobody says
 * which of it is secret, so all of it is, but for paths. What instances have under names such as `password` it learns when
 * they are opened.
 */
export function learnEnvironment(config: Pick<HostConfig, 'plugins' | 'providers'>, env: Environment, redactor: Redactor): void {
  const settings = [...config.plugins.config.values()]
  for (const value of settings) learnSecrets(value, redactor)
  const metadata = [...config.providers.values()].map(({ options }) => options['metadata'])
  for (const name of [...settings, ...metadata].flatMap(variablesIn)) {
    const value = env[name]
    if (value !== undefined && !value.startsWith('/') && !ordinary.test(name)) redactor.learn(value)
  }
}

function variablesIn(value: unknown): string[] {
  if (typeof value === 'string') return [...value.matchAll(/\$\{env:([^}:]+)/g)].flatMap(([, name]) => name ?? [])
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(variablesIn)
}
