import type { Kernel, PointUser } from '@backplane/kernel'
import { ExportCapabilities, provider, ProviderMetadata, type ProviderConfig } from '@hypersdk/points'
import type { HostConfig, InstanceConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import { didYouMean, type PlatformError } from '@backplane/sdk'
import { learnSecrets } from '../secrets/learn-secrets.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { resolveHandles, type HandleSources } from '../secrets/resolve-handles.ts'
import { ProviderInstance, type ProviderUse } from './provider-instance.ts'
import type { TypeOwners } from './type-owners.ts'

/** One provider type as its plugin's manifest declares it; nothing was run to know this. */
export interface ProviderType {
  readonly type: string
  readonly displayName: string
  readonly plugin: string
  readonly version: string
  /** Others that say that they provide it, and are given nothing of it. Sorted. */
  readonly alsoClaimedBy: readonly string[]
  readonly available: boolean
  readonly reason: string | undefined
  /** Not available for the moment; a later call may start its plugin anew. */
  readonly recovers: boolean
  readonly capabilities: ExportCapabilities
  /** Names of its instances; without a configured one, its own name. */
  readonly instances: readonly string[]
}

/** Longest one `open` may take when the provider has no timeout of its own, ms. */
const openTimeoutMs = 30_000
/** Longest one call may take when the provider has no timeout of its own, ms. */
const callTimeoutMs = 60_000

/** What the registry is made of. */
export interface ProviderRegistryOptions {
  readonly kernel: Kernel
  readonly config: Pick<HostConfig, 'providers' | 'plugins'>
  readonly handles: HandleSources
  readonly owners: TypeOwners
  /** Told of every credential before a plugin gets it. */
  readonly redactor: Redactor
  readonly onCloseError: (instance: string, error: unknown) => void
  /** Told once for each change of what an instance is answered by. */
  readonly onFallback: (instance: string, fellBack: FellBack) => void
}

/** A provider type that is not asked, and the one that is instead. */
export interface FellBack {
  readonly from: string
  readonly to: string
  readonly reason: string
}

/** Nobody was asked: another type may be, without anything being done twice. */
const notAsked: ReadonlySet<unknown> = new Set(['PROVIDER_UNAVAILABLE', 'PLUGIN_UNAVAILABLE', 'CALL_BREAKER_OPEN'])

/**
 * The providers a user can name: types come from plugins, instances from the configuration. A type without a configured
 * instance has one of its own name, without options. Each instance is opened with its own options alone.
 */
export class ProviderRegistry implements AsyncDisposable {
  readonly #options: ProviderRegistryOptions
  readonly #instances = new Map<string, ProviderInstance>()
  readonly #watching: Disposable
  /** The type each instance was last answered by, where that is not its own. */
  readonly #instead = new Map<string, string>()
  /** Opened with options that are no longer those of the configuration. */
  readonly #replaced = new Set<ProviderInstance>()
  #users: ReadonlyMap<string, PointUser> = new Map()
  #claims: readonly PointUser[] = []

  constructor(options: ProviderRegistryOptions) {
    this.#options = options
    const { kernel } = options
    const watched = kernel.watch(provider, (users) => {
      this.#claims = users
      this.#users = byName(users, (type) => options.owners.ownerOf(type))
      this.#refresh()
    })
    const events = kernel.events.subscribe(({ event }) => {
      if (event.type === 'plugin.changed' || event.type === 'plugin.updated' || event.type === 'plugin.removed') this.#refresh()
    })
    this.#watching = {
      [Symbol.dispose]: () => {
        watched[Symbol.dispose]()
        events[Symbol.dispose]()
      },
    }
  }

  /** Sorted by type. */
  types(): readonly ProviderType[] {
    return [...this.#users.values()].map((user) => this.#describe(user)).toSorted((a, b) => (a.type < b.type ? -1 : 1))
  }

  /** By type, or by the name of an instance. Errors: `PROVIDER_UNKNOWN`, `PROVIDER_PLUGIN_MISSING`. */
  type(name: string): ProviderType {
    const user = this.#users.get(name) ?? this.#users.get(this.resolve(name).type)
    if (user === undefined) throw this.#unknown(name)
    return this.#describe(user)
  }

  /** Why configured instances cannot be used now: no plugin provides their type. */
  unserved(): readonly PlatformError[] {
    const { providers, plugins } = this.#options.config
    const wanted = [...providers].map(([name, { type }]) => [name, type] as const)
    for (const [type, others] of plugins.fallbacks) for (const other of others) wanted.push([`that replaces ${type}`, other])
    return wanted.filter(([, type]) => !this.#users.has(type)).map(([name, type]) => this.#pluginMissing(name, type))
  }

  /** Which instance a name means. Errors: `PROVIDER_UNKNOWN`, `PROVIDER_PLUGIN_MISSING`, `PROVIDER_AMBIGUOUS`. */
  resolve(name: string): { readonly instance: string; readonly type: string } {
    const configured = this.#options.config.providers.get(name)
    if (configured !== undefined) {
      const { type } = configured
      if (!this.#users.has(type)) throw this.#pluginMissing(name, type)
      return { instance: name, type }
    }
    if (!this.#users.has(name)) throw this.#unknown(name)
    const instances = this.#instancesOf(name)
    const [only] = instances
    if (instances.length === 1 && only !== undefined) return { instance: only, type: name }
    throw hypersdkErrors.error('PROVIDER_AMBIGUOUS', { name, instances: instances.join(', ') })
  }

  /**
   * A use of an instance, on the version that serves now; where its type takes no calls, or is not asked because it fails
   * again and again, of an instance with the same settings of the next type that the configuration names. Errors: those of
   * {@link resolve}; `PROVIDER_UNAVAILABLE` with the plugin's reason; `PROVIDER_FALLBACK_REFUSED`;
   * `CONFIG_HANDLE_UNRESOLVED`; whatever the plugin's `open` throws.
   */
  async use(name: string, signal: AbortSignal): Promise<ProviderUse> {
    const { instance, type } = this.resolve(name)
    const others = this.#options.config.plugins.fallbacks.get(type)
    if (others === undefined) return this.#useOf({ name, instance, type }, signal)
    let refusal: unknown
    for (const asked of [type, ...others]) {
      try {
        if (asked !== type || this.#breakerProblem(type) === undefined) {
          const use = await this.#useOf({ name, instance, type: asked }, signal)
          this.#answered(instance, { from: type, to: asked, reason: refusal instanceof Error ? refusal.message : '' })
          return use
        }
        throw this.#unavailable(name, type, this.#breakerProblem(type))
      } catch (error) {
        const { code, message, plugin } = error as PlatformError
        if (notAsked.has(code)) refusal ??= error
        else if (asked === type || signal.aborted) throw error
        else throw this.#refused({ name, type, fallback: asked, reason: message }, { plugin, cause: error })
      }
    }
    throw refusal
  }

  async #useOf({ name, instance, type }: Asked, signal: AbortSignal): Promise<ProviderUse> {
    const user = this.#users.get(type)
    if (user === undefined || (!user.available && user.recovers !== true)) throw this.#unavailable(name, type, user?.reason)
    return this.#instance(instance, type).use(this.#serving(type), signal)
  }

  /** Why a type is not asked for now although it takes calls. */
  #breakerProblem(type: string): string | undefined {
    const plugin = this.#users.get(type)?.plugin
    const { breakers = [] } = (plugin === undefined ? undefined : this.#options.kernel.plugins.get(plugin)) ?? {}
    const open = breakers.find(({ point, name, state }) => point === provider.id && name === type && state === 'open')
    if (open?.retryAtMs === undefined || open.retryAtMs <= Date.now()) return undefined
    return `it failed ${open.failures} times in a row and is not asked until ${new Date(open.retryAtMs).toISOString()}`
  }

  #answered(instance: string, fellBack: FellBack): void {
    const { from, to } = fellBack
    if (this.#instead.get(instance) !== to && from !== to) this.#options.onFallback(instance, fellBack)
    if (from === to) this.#instead.delete(instance)
    else this.#instead.set(instance, to)
  }

  /** Ids of the plugins whose instances were asked to close and have not answered. */
  closing(): readonly string[] {
    return [...this.#instances.values(), ...this.#replaced].flatMap((one) => one.closing())
  }

  /** Opens these instances anew at their next use; what is at work on them ends as it began. */
  reconfigured(instances: readonly string[]): void {
    for (const [key, instance] of this.#instances) {
      if (!instances.includes(key.slice(0, key.lastIndexOf(' ')))) continue
      this.#instances.delete(key)
      this.#replaced.add(instance)
    }
    this.#refresh()
  }

  /** Whether the configuration names this instance. */
  isConfigured(instance: string): boolean {
    return this.#options.config.providers.has(instance)
  }

  /** Longest one call to this type may take, ms. */
  callTimeoutMs(type: string): number {
    return this.#options.config.plugins.providers.get(type)?.timeoutMs ?? callTimeoutMs
  }

  /** Exports of this type that may run at once; undefined for as many as the daemon allows in all. */
  maxConcurrentExports(type: string): number | undefined {
    return this.#options.config.plugins.providers.get(type)?.maxConcurrentExports
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching[Symbol.dispose]()
    await Promise.all([...this.#instances.values(), ...this.#replaced].map((one) => one[Symbol.asyncDispose]()))
  }

  #instance(name: string, type: string): ProviderInstance {
    const key = `${name} ${type}`
    const known = this.#instances.get(key)
    if (known !== undefined) return known
    const configured = this.#options.config.providers.get(name)
    const instance = new ProviderInstance({
      kernel: this.#options.kernel,
      name,
      type,
      options: (plugin) => this.#openOptions({ name, type, configured, plugin }),
      openTimeoutMs: this.#options.config.plugins.providers.get(type)?.timeoutMs ?? openTimeoutMs,
      onCloseError: (error) => this.#options.onCloseError(name, error),
    })
    this.#instances.set(key, instance)
    return instance
  }

  /** Only for the plugin that the type belongs to, which is its for good from then on. */
  async #openOptions({ name, type, configured, plugin }: Opening): Promise<Partial<ProviderConfig>> {
    const origin = this.#options.kernel.plugins.get(plugin)?.origin ?? 'external'
    await this.#options.owners.bind(type, { id: plugin, origin })
    const timeoutMs = this.#options.config.plugins.providers.get(type)?.timeoutMs
    const handles = { ...this.#options.handles, plugin }
    const options = await resolveHandles(configured?.options ?? {}, `providers.${name}`, handles)
    learnSecrets(options, this.#options.redactor)
    return { ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }), ...(options as Partial<ProviderConfig>) }
  }

  #describe(user: PointUser): ProviderType {
    const metadata = ProviderMetadata.safeParse(user.metadata).data
    return {
      type: user.name,
      displayName: metadata?.display_name ?? user.name,
      plugin: user.plugin,
      version: user.version,
      alsoClaimedBy: this.#claims.flatMap(({ name, plugin }) => (name === user.name && plugin !== user.plugin ? [plugin] : [])),
      available: user.available,
      reason: user.reason,
      recovers: user.recovers === true,
      capabilities: metadata?.capabilities ?? ExportCapabilities.parse({}),
      instances: this.#instancesOf(user.name),
    }
  }

  #instancesOf(type: string): readonly string[] {
    const configured = [...this.#options.config.providers].filter(([, one]) => one.type === type).map(([name]) => name)
    return configured.length === 0 ? [type] : configured
  }

  /** Generation that serves a type now; undefined while none runs. */
  #serving(type: string): number | undefined {
    const plugin = this.#users.get(type)?.plugin
    const state = plugin === undefined ? undefined : this.#options.kernel.plugins.get(plugin)?.state
    return state?.name === 'active' ? state.generation : undefined
  }

  #refresh(): void {
    for (const instance of this.#instances.values()) instance.refresh(this.#serving(instance.type))
    for (const instance of this.#replaced) instance.refresh(undefined)
  }

  #unavailable(name: string, type: string, reason = 'its plugin does not run'): PlatformError {
    const plugin = this.#users.get(type)?.plugin
    const about = { point: provider.id, ...(plugin === undefined ? {} : { plugin }) }
    return hypersdkErrors.error('PROVIDER_UNAVAILABLE', { name, reason }, about)
  }

  #refused(
    parameters: Readonly<Record<'name' | 'type' | 'fallback' | 'reason', string>>,
    { plugin, cause }: { readonly plugin: string | undefined; readonly cause: unknown },
  ): PlatformError {
    const about = { point: provider.id, cause, ...(plugin === undefined ? {} : { plugin }) }
    return hypersdkErrors.error('PROVIDER_FALLBACK_REFUSED', parameters, about)
  }

  #unknown(name: string): PlatformError {
    const known = new Set([...this.#users.keys(), ...this.#options.config.providers.keys()])
    return hypersdkErrors.error('PROVIDER_UNKNOWN', { name, nearest: didYouMean(name, known) })
  }

  #pluginMissing(instance: string, type: string): PlatformError {
    const nearest = didYouMean(type, this.#users.keys())
    return hypersdkErrors.error('PROVIDER_PLUGIN_MISSING', { instance, type, nearest })
  }
}

/** An instance, by the name it was asked for, and the type that is to answer. */
interface Asked {
  readonly name: string
  readonly instance: string
  readonly type: string
}

interface Opening {
  readonly name: string
  readonly type: string
  readonly configured: InstanceConfig | undefined
  /** That is to be given its settings. */
  readonly plugin: string
}

/** Of two plugins with one provider name that counts which it belongs to, then that which takes calls, then the first listed. */
function byName(users: readonly PointUser[], ownerOf: (type: string) => string | undefined): ReadonlyMap<string, PointUser> {
  const result = new Map<string, PointUser>()
  for (const user of users) {
    const known = result.get(user.name)
    const owner = ownerOf(user.name)
    if (known === undefined || user.plugin === owner || (known.plugin !== owner && !known.available && user.available)) {
      result.set(user.name, user)
    }
  }
  return result
}
