import { messageOf } from '../calls/thrown.ts'
import { hasForm, type Form, kernelNamespace as namespace } from './kept-entries.ts'
import type { Clock, Log, Store } from '../ports.ts'
import type { PermissionUse, UseVerb } from '../permission-use.ts'
import { UseEntry } from './use-entry.ts'
import { type Coverage, UseTally, type VersionUses } from './use-tally.ts'

const prefix = 'uses/'
/** Versions kept of each plugin: the newest that were started. */
const keptVersions = 5
/** From a use to its being written down, ms: what a killed host may have forgotten. */
const writeAfterMs = 5_000

const useForm: Form = { count: 'number', firstMs: 'number', lastMs: 'number', by: 'string' }
const verbs: readonly UseVerb[] = ['fs:read', 'fs:write', 'exec', 'net:connect', 'host']

/**
 * What the versions of each plugin used, kept in the store. Uses are counted in memory and written down a while later, all of a
 * plugin's in one go; a plugin that uses without end causes one write every few seconds, of a size that does not grow.
 */
export class Uses {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  /** By plugin, then by version, the one started last at the end. */
  readonly #plugins = new Map<string, Promise<Map<string, VersionUses>>>()
  readonly #pending = new Map<string, Disposable>()
  #writing: Promise<unknown> = Promise.resolve()

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  /** Counts what a generation of this version uses; `covered` is what its permissions open now. */
  async tally(plugin: string, version: string, covered: readonly Coverage[]): Promise<UseTally> {
    const versions = await this.#versions(plugin)
    const uses = versions.get(version) ?? noUses()
    versions.delete(version)
    versions.set(version, uses)
    for (const oldest of versions.keys()) if (versions.size > keptVersions) versions.delete(oldest)
    const permissions = new Set(covered.map(({ permission }) => permission))
    for (const permission of uses.entries.keys()) if (!permissions.has(permission)) uses.entries.delete(permission)
    uses.opens.clear()
    for (const { permission, value } of covered) uses.opens.set(permission, [...(uses.opens.get(permission) ?? []), value])
    return new UseTally(uses, covered, { clock: this.#clock, changed: () => this.#changed(plugin) })
  }

  /** What one version used; undefined when it was never started. */
  async of(plugin: string, version: string): Promise<VersionUses | undefined> {
    return (await this.#versions(plugin)).get(version)
  }

  async forget(plugin: string): Promise<void> {
    this.#pending.get(plugin)?.[Symbol.dispose]()
    this.#pending.delete(plugin)
    this.#plugins.delete(plugin)
    await this.#writing
    await this.#store.delete(namespace, prefix + plugin)
  }

  /** Writes down what is not yet. */
  async settled(): Promise<void> {
    // Writing takes it out of those that wait.
    for (const plugin of Array.from(this.#pending.keys())) this.#write(plugin)
    await this.#writing
  }

  #changed(plugin: string): void {
    if (this.#pending.has(plugin)) return
    this.#pending.set(
      plugin,
      this.#clock.after(writeAfterMs, () => this.#write(plugin)),
    )
  }

  #write(plugin: string): void {
    this.#pending.get(plugin)?.[Symbol.dispose]()
    this.#pending.delete(plugin)
    const versions = this.#plugins.get(plugin)
    if (versions === undefined) return
    this.#writing = this.#writing
      .then(async () => this.#store.set(namespace, prefix + plugin, textOf(await versions)))
      .catch((error: unknown) => this.#failed(plugin, 'written', error))
  }

  #versions(plugin: string): Promise<Map<string, VersionUses>> {
    const versions = this.#plugins.get(plugin) ?? this.#load(plugin)
    this.#plugins.set(plugin, versions)
    return versions
  }

  async #load(plugin: string): Promise<Map<string, VersionUses>> {
    try {
      const text = await this.#store.get(namespace, prefix + plugin)
      return text === undefined ? new Map() : versionsIn(text)
    } catch (error) {
      this.#failed(plugin, 'read', error)
      return new Map()
    }
  }

  #failed(plugin: string, what: string, error: unknown): void {
    this.#log.write({ level: 'error', message: `what it used cannot be ${what}: ${messageOf(error)}`, plugin })
  }
}

function noUses(): VersionUses {
  return { entries: new Map(), watched: new Map(), opens: new Map() }
}

function textOf(versions: ReadonlyMap<string, VersionUses>): string {
  const kept = [...versions].map(([version, { entries, watched }]) => ({
    version,
    watched: Object.fromEntries(watched),
    permissions: Object.fromEntries(
      [...entries].flatMap(([permission, { use }]) => (use === undefined ? [] : [[permission, use]])),
    ),
  }))
  return JSON.stringify(kept)
}

function versionsIn(text: string): Map<string, VersionUses> {
  const kept: unknown = JSON.parse(text)
  if (!Array.isArray(kept)) throw new TypeError('it is not a list')
  const versions = new Map<string, VersionUses>()
  for (const one of kept.slice(-keptVersions) as readonly unknown[]) {
    const { version, watched, permissions } = Object(one) as Readonly<Record<string, unknown>>
    if (typeof version !== 'string') continue
    const uses = noUses()
    for (const verb of verbs) {
      const sinceMs: unknown = Reflect.get(Object(watched), verb)
      if (typeof sinceMs === 'number') uses.watched.set(verb, sinceMs)
    }
    for (const [permission, use] of Object.entries(Object(permissions) as object)) {
      if (isUse(use)) uses.entries.set(permission, UseEntry.of(use))
    }
    versions.set(version, uses)
  }
  return versions
}

function isUse(use: unknown): use is PermissionUse {
  const { seen, isWhole } = Object(use) as Readonly<Record<string, unknown>>
  return (
    hasForm(use, useForm) && typeof isWhole === 'boolean' && Array.isArray(seen) && seen.every((what) => typeof what === 'string')
  )
}
