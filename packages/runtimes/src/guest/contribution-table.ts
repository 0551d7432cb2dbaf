import type { Contribution } from '@backplane/kernel'
import type { Call, DataPoint, HookPoint, Point, ProviderPoint } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'

/** A function of the plugin's as it is called. */
export type PluginFunction = (value: unknown, call: Call) => unknown

/** What implements a provider, or what `open` answered: functions by name, called on their object. */
export type PluginObject = Readonly<Record<string, unknown>>

/** One registered thing with the code behind it. */
export type Registered =
  | { readonly kind: 'hook'; readonly handle: PluginFunction }
  | { readonly kind: 'provider'; readonly methods: PluginObject }
  | { readonly kind: 'opened'; readonly open: PluginFunction; readonly methods: readonly string[] }
  | { readonly kind: 'data'; readonly value: unknown }

/** What `setup` registered. Open while setup runs, then closed for good. */
export class ContributionTable {
  readonly #plugin: string
  readonly #declared: Readonly<Record<string, readonly string[]>>
  readonly #entries = new Map<string, Map<string, Registered>>()
  readonly #list: Contribution[] = []
  #open = true

  constructor(plugin: string, declared: Readonly<Record<string, readonly string[]>>) {
    this.#plugin = plugin
    this.#declared = declared
  }

  /** In order of registration. */
  get list(): readonly Contribution[] {
    return this.#list
  }

  /** Refuses everything from now on. */
  close(): void {
    this.#open = false
  }

  find(point: string, name: string): Registered | undefined {
    return this.#entries.get(point)?.get(name)
  }

  addHook(point: HookPoint, name: string, handle: PluginFunction): void {
    this.#add(point, name, { kind: 'hook', handle })
    this.#list.push({ point: point.id, name, kind: 'hook', methods: [] })
  }

  addProvider(point: ProviderPoint, name: string, provided: PluginObject): void {
    const declared = Object.keys(point.methods)
    if (point.open === undefined) {
      this.#add(point, name, { kind: 'provider', methods: provided })
      this.#list.push({ point: point.id, name, kind: 'provider', methods: suppliedMethods(provided, declared) })
      return
    }
    const open: PluginFunction = (options, call) => (provided['open'] as PluginFunction).call(provided, options, call)
    this.#add(point, name, { kind: 'opened', open, methods: declared })
    this.#list.push({ point: point.id, name, kind: 'provider', methods: [] })
  }

  addData(point: DataPoint, name: string, value: unknown): void {
    this.#add(point, name, { kind: 'data', value })
    this.#list.push({ point: point.id, name, kind: 'data', methods: [], value })
  }

  #add(point: Point, name: string, registered: Registered): void {
    const plugin = this.#plugin
    const parameters = { plugin, point: point.id, name }
    const fields = { plugin, point: point.id }
    if (!this.#open) throw runtimeErrors.error('SCOPE_SETUP_OVER', parameters, fields)
    const declared = Object.hasOwn(this.#declared, point.id) ? this.#declared[point.id] : undefined
    if (declared?.includes(name) !== true) throw runtimeErrors.error('POINT_UNDECLARED', parameters, fields)
    const names = this.#entries.get(point.id) ?? new Map<string, Registered>()
    if (names.has(name)) throw runtimeErrors.error('POINT_REGISTERED_TWICE', parameters, fields)
    this.#entries.set(point.id, names.set(name, registered))
  }
}

/** Those of `declared` that the object has as functions, its own or its class's. */
export function suppliedMethods(object: PluginObject, declared: readonly string[]): readonly string[] {
  return declared.filter((method) => typeof object[method] === 'function')
}
