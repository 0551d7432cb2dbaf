import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Policy, Store } from '@backplane/kernel'
import type { Manifest } from '@backplane/sdk'
import { provider } from '@hypersdk/points'
import type { HostConfig } from '../config/host-config.ts'
import { bundledPluginFolders } from '../daemon/bundled-plugins.ts'
import { hypersdkErrors } from '../errors.ts'

const namespace = 'hypersdk:type-owners'

/**
 * Which plugin a provider type belongs to: the one the configuration names, else the one that ships with the host, else the one
 * that was given the settings of an instance before. Whoever comes later and says that it provides the type as well gets
 * neither calls nor credentials.
 */
export class TypeOwners {
  readonly #config: Pick<HostConfig, 'plugins'>
  readonly #store: Store
  /** Plugins by type. */
  readonly #bundled: ReadonlyMap<string, string>
  readonly #bound = new Map<string, string>()

  private constructor(config: Pick<HostConfig, 'plugins'>, store: Store, bundled: ReadonlyMap<string, string>) {
    this.#config = config
    this.#store = store
    this.#bundled = bundled
  }

  /** Reads who was given settings before; a later one is written down in `store`. */
  static async open(config: Pick<HostConfig, 'plugins'>, store: Store): Promise<TypeOwners> {
    const owners = new TypeOwners(config, store, new Map(await bundledTypes()))
    for (const type of await store.keys(namespace, '')) {
      const plugin = await store.get(namespace, type)
      if (plugin !== undefined) owners.#bound.set(type, plugin)
    }
    return owners
  }

  /** For the kernel's policy. */
  readonly reserved: NonNullable<Policy['reserved']> = ({ point, name, id, origin }) => {
    if (point !== provider.id) return undefined
    const named = this.#config.plugins.typeOwners.get(name)
    if (named !== undefined) return named === id ? undefined : `plugins.providers.${name}.plugin names ${named}`
    const meant = `; if this one is meant, write plugins.providers.${name}.plugin: ${id} into the configuration`
    if (this.#bundled.has(name)) return origin === 'bundled' ? undefined : `it ships with the host${meant}`
    const bound = this.#bound.get(name)
    return bound === undefined || bound === id ? undefined : `${bound} was given its credentials before${meant}`
  }

  /** The plugin that a type belongs to, where that is known by its id. */
  ownerOf(type: string): string | undefined {
    return this.#config.plugins.typeOwners.get(type) ?? this.#bundled.get(type) ?? this.#bound.get(type)
  }

  /**
   * To be settled before a plugin is given the settings of an instance: from then on the type is that plugin's, also after a
   * restart. Errors: `PROVIDER_UNAVAILABLE` where it is another's, those of the store.
   */
  async bind(type: string, { id, origin }: { readonly id: string; readonly origin: 'bundled' | 'external' }): Promise<void> {
    const reason = this.reserved({ point: provider.id, name: type, id, origin })
    if (reason !== undefined) {
      throw hypersdkErrors.error('PROVIDER_UNAVAILABLE', { name: type, reason: `it is not for ${id}: ${reason}` }, { plugin: id })
    }
    if (origin === 'bundled' || this.#bound.get(type) === id) return
    this.#bound.set(type, id)
    await this.#store.set(namespace, type, id)
  }
}

/** By their manifests, so that a type stays theirs while its plugin is disabled or broken. */
async function bundledTypes(): Promise<readonly (readonly [type: string, plugin: string])[]> {
  const manifests = bundledPluginFolders().map(async ({ directory }) => {
    const text = await readFile(join(directory, 'plugin.json'), 'utf8').catch(() => '{}')
    const { id = '', contributes = {} } = JSON.parse(text) as Partial<Pick<Manifest, 'id' | 'contributes'>>
    return Object.keys(contributes[provider.id] ?? {}).map((type) => [type, id] as const)
  })
  return (await Promise.all(manifests)).flat()
}
