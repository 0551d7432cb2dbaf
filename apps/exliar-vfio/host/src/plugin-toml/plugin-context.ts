import type { Scope } from '@backplane/sdk'
import {
  bootService,
  changeService,
  deviceService,
  pluginEvent,
  systemService,
  vfioService,
  type PciDevice,
  type RecordedChange,
  type SystemInfo,
} from '@exliar-vfio/points'
import { alsoInCamelCase } from './also-in-camel-case.ts'

/** Hears the events of one type. */
type EventListener = (event: Readonly<Record<string, unknown>>) => unknown

/**
 * What a plugin in the style of the seed is given. Values set in it are the plugin's own and are gone when it stops; what
 * must last goes into `state`. Services answer promises, and are there in every hook. Source: seed 004, "Plugin Context".
 */
export class PluginContext {
  readonly #scope: Scope
  readonly #values = new Map<string, unknown>()
  readonly #listeners = new Map<string, EventListener[]>()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  set(key: string, value: unknown): void {
    this.#values.set(key, value)
  }

  get(key: string): unknown {
    return this.#values.get(key)
  }

  /** The same value as `get`: in JavaScript what is held may be changed. */
  get_mut(key: string): unknown {
    return this.#values.get(key)
  }

  /** Takes a value out and answers it. */
  remove(key: string): unknown {
    const value = this.#values.get(key)
    this.#values.delete(key)
    return value
  }

  /** The plugin's durable storage. */
  get state(): Scope['state'] {
    return this.#scope.state
  }

  logger(): Scope['log'] {
    return this.#scope.log
  }

  config(): ConfigProvider {
    return new ConfigProvider(this.#scope.config)
  }

  subscribe(type: string, listener: EventListener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
  }

  /** `event_type` (or `eventType`, or `type`) says which it is; the rest is handed to whoever subscribed. */
  async emit(event: Readonly<Record<string, unknown>>): Promise<void> {
    const { event_type: snake, eventType: camel, type: plain, ...payload } = event
    const type = [snake, camel, plain].find((one) => typeof one === 'string')
    if (type === undefined) throw new TypeError('an event needs event_type')
    await this.#scope.emit(pluginEvent, { type, payload })
  }

  /** Hands an event of another plugin to who subscribed to it. */
  async heard(type: string, payload: unknown): Promise<void> {
    for (const listener of this.#listeners.get(type) ?? []) await listener({ event_type: type, ...Object(payload) })
  }

  system_info(): Promise<SystemInfo> {
    return this.#scope.use(systemService, 'core').info(null)
  }

  device_manager(): {
    readonly list: () => Promise<readonly PciDevice[]>
    readonly get: (bdf: string) => Promise<PciDevice>
  } {
    const devices = this.#scope.use(deviceService, 'core')
    return { list: () => devices.list(null), get: (bdf) => devices.get({ bdf }) }
  }

  vfio_manager(): {
    readonly bind_device: (bdf: string) => Promise<PciDevice>
    readonly unbind_device: (bdf: string) => Promise<PciDevice>
  } {
    const vfio = this.#scope.use(vfioService, 'core')
    return { bind_device: (bdf) => vfio.bind({ bdf }), unbind_device: (bdf) => vfio.unbind({ bdf }) }
  }

  bootloader_manager(): {
    readonly get_config_parameters: () => Promise<readonly string[]>
    readonly add_parameters: (parameters: readonly string[]) => Promise<readonly string[]>
    readonly remove_parameters: (parameters: readonly string[]) => Promise<readonly string[]>
  } {
    const boot = this.#scope.use(bootService, 'core')
    return {
      get_config_parameters: () => boot.parameters(null),
      add_parameters: (parameters) => boot.add({ parameters: [...parameters] }),
      remove_parameters: (parameters) => boot.remove({ parameters: [...parameters] }),
    }
  }

  state_tracker(): { readonly changes: () => Promise<readonly RecordedChange[]> } {
    return { changes: () => this.#scope.use(changeService, 'core').list(null) }
  }
}

/** A plugin's settings, or a section of them. Source: seed 004, "Configuration Access". */
export class ConfigProvider {
  readonly #values: unknown

  constructor(values: unknown) {
    this.#values = values
  }

  /** The section of that name; a plugin's own name, and one that is not there, is the whole. */
  get_section(name: string): ConfigProvider {
    const section: unknown = Reflect.get(Object(this.#values), name)
    return typeof section === 'object' && section !== null ? new ConfigProvider(section) : this
  }

  get(name: string): unknown {
    return Reflect.get(Object(this.#values), name)
  }

  /** Undefined when it is not set, or no boolean. */
  get_bool(name: string): boolean | undefined {
    const value = this.get(name)
    return typeof value === 'boolean' ? value : undefined
  }

  /** Undefined when it is not set, or no text. */
  get_string(name: string): string | undefined {
    const value = this.get(name)
    return typeof value === 'string' ? value : undefined
  }

  /** Undefined when it is not set, or no number. */
  get_number(name: string): number | undefined {
    const value = this.get(name)
    return typeof value === 'number' ? value : undefined
  }
}

for (const one of [PluginContext, ConfigProvider]) alsoInCamelCase(one)
