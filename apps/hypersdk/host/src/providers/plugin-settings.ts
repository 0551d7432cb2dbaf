import type { DeclaredManifest, PluginSettings, Policy } from '@backplane/kernel'
import { provider } from '@hypersdk/points'
import type { Environment } from '../config/default-places.ts'
import { bundledPluginIds } from '../daemon/bundled-plugins.ts'
import type { HostConfig, InstanceConfig } from '../config/host-config.ts'
import { keyOf, meantBy, saidOf } from './named-plugin.ts'
import type { IdsNamed } from './plugin-names.ts'
import { secretMember } from '../secrets/learn-secrets.ts'
import { namesSecret, resolveEnvironment } from '../secrets/resolve-handles.ts'

/**
 * The settings of each plugin as the configuration has them. Permission places such as
 * `fs:read ${instances.*.metadata.directory}` see the instances of the plugin's own provider types, and of those
 * it is the fallback of, without secrets.
 */
export function pluginSettings(
  config: HostConfig,
  env: Environment,
  idsNamed: IdsNamed = onlyItself,
): (id: string, manifest: DeclaredManifest) => PluginSettings {
  return (id, manifest) => {
    const types = manifest.contributions.filter(({ point }) => point === provider.id).map(({ name }) => name)
    const { perPlugin, providers } = config.plugins
    const key = keyOf(id, config.plugins.config, idsNamed)
    const own = saidOf(id, perPlugin)
    const said = [...(own === undefined ? [] : [own]), ...types.flatMap((type) => providers.get(type) ?? [])]
    const given = saidOf(id, perPlugin, idsNamed) === undefined ? said.filter((one) => one !== own) : said
    const tier = given.find((one) => one.tier !== undefined)?.tier
    const criticality = said.find((one) => one.criticality !== undefined)?.criticality ?? softened(id, manifest)
    const { fallbacks } = config.plugins
    const isFor = (type: string): boolean => [type, ...(fallbacks.get(type) ?? [])].some((one) => types.includes(one))
    const instances = [...config.providers].filter(([, one]) => isFor(one.type))
    return {
      ...(key === undefined ? {} : ownSettings(config, key)),
      ...(tier === undefined ? {} : { tier }),
      ...(criticality === undefined ? {} : { criticality }),
      audit: auditOf(id, config, idsNamed),
      limits: firstSaid(said.map((one) => one.limits)),
      onLimit: firstSaid(said.map((one) => one.onLimit)),
      secrets: saidOf(id, config.secrets.allow, idsNamed) ?? [],
      variables: { instances: Object.fromEntries(instances.map(([name, one]) => [name, permissionView(one, env)])) },
    }
  }
}

/** One that is named is refused where it cannot be; of all, those that can. */
function auditOf(id: string, { plugins: { audit } }: HostConfig, idsNamed: IdsNamed): NonNullable<PluginSettings['audit']> {
  if (audit === true) return 'where-possible'
  return keyOf(id, new Set(audit), idsNamed) !== undefined
}

/** What comes from outside does not decide by itself that the daemon cannot do without it: else a broken one would stop it. */
function softened(id: string, { criticality }: DeclaredManifest): 'optional' | undefined {
  return criticality === 'required' && !bundledPluginIds.has(id) ? 'optional' : undefined
}

function ownSettings(config: HostConfig, key: string): Pick<PluginSettings, 'config' | 'from' | 'locate'> {
  return {
    config: config.plugins.config.get(key),
    from: `${config.file}: plugins.config.${key}`,
    locate: (path) => `${config.locate(['plugins', 'config', key, ...path])}: plugins.config.${key}`,
  }
}

/** Whom names and provider types mean. */
export interface PolicyNames {
  readonly idsNamed?: IdsNamed
  readonly reserved?: Policy['reserved']
}

/** Which plugins may run, and how strictly: everything is confined unless the configuration says otherwise. */
export function pluginPolicy(config: HostConfig, { idsNamed = onlyItself, reserved }: PolicyNames = {}): Policy {
  const { allow, deny, waive, isolation } = config.plugins
  const policy: Policy = {
    // a name that two have takes both out
    deny,
    ...(reserved === undefined ? {} : { reserved }),
    tier: () => 'confined',
    waivedIn: `plugins.waive of ${config.file}`,
    isolation: ({ origin }) => (origin === 'bundled' ? undefined : { floor: isolation }),
    waive: ({ id, origin, grants }) => [
      // A plugin that may start programs may reach through them what its own process is denied: files and network too.
      ...(origin === 'bundled' && grants.exec.length > 0 ? ['exec', 'net:connect', 'fs'] : []),
      ...(saidOf(id, waive, idsNamed) ?? []),
    ],
  }
  if (allow === undefined) return policy
  return {
    ...policy,
    // asked for each plugin, when all there are are known
    get allow() {
      return allow.flatMap((name) => allowed(name, idsNamed))
    },
  }
}

/** A name that two have lets neither in. */
function allowed(name: string, idsNamed: IdsNamed): readonly string[] {
  if (name === '*' || name.includes('/')) return [name]
  const meant = idsNamed === onlyItself ? [name] : meantBy(name, idsNamed)
  return meant.length === 1 ? meant : []
}

/** Where it is not known which plugins there are. */
const onlyItself: IdsNamed = () => []

/** Of each member, what the first that has it says. */
function firstSaid<T extends object>(said: readonly T[]): Partial<T> {
  return Object.assign({}, ...said.toReversed()) as Partial<T>
}

function permissionView(instance: InstanceConfig, env: Environment): unknown {
  return open(instance.options, env)
}

function open(value: unknown, env: Environment): unknown {
  if (typeof value === 'string') return namesSecret(value) ? undefined : resolveEnvironment(value, env)
  if (Array.isArray(value)) return value.map((item) => open(item, env))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([key]) => !secretMember.test(key))
  return Object.fromEntries(members.map(([key, item]) => [key, open(item, env)]).filter(([, item]) => item !== undefined))
}
