import { didYouMean, type PermissionVocabulary, type Point } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import type { Contributed } from '../manifest-summary.ts'
import type { DataEntry, PointListener, PointUser } from '../kernel.ts'
import { type Plugin, unavailableReason } from '../plugins/plugin.ts'
import { orderHandlers } from './hook-order.ts'
import { type Binding, PointTable } from './point-table.ts'
import { type ListedUser, PointWatches } from './point-watches.ts'
import { noVocabulary } from '../plugins/permissions.ts'
import type { Log } from '../ports.ts'

/** Names of removed plugins that are remembered. */
const mostGone = 256

/** What is contributed where: the index from point and name to plugin, and the changes of it. */
export class Points {
  readonly #tables = new Map<string, PointTable>()
  /** Plugins that are known and do not count; they are listed with their reason. */
  readonly #unusable = new Set<Plugin>()
  readonly #watches: PointWatches
  readonly #gone = new Map<string, { readonly plugin: string; readonly reason: string }>()

  /** `vocabulary` holds the permissions points may take. Errors: `POINT_INVALID`, `POINT_SCHEMA_ASYNC`. */
  constructor(points: readonly Point[], log: Log, vocabulary: PermissionVocabulary = noVocabulary) {
    this.#watches = new PointWatches(log, (table) => this.#list(table))
    for (const point of points) {
      if (this.#tables.has(point.id)) throw kernelErrors.error('POINT_INVALID', { point: point.id, problem: 'is given twice' })
      refuseUnnamed(point, vocabulary)
      this.#tables.set(point.id, new PointTable(point))
    }
  }

  get ids(): Iterable<string> {
    return this.#tables.keys()
  }

  find(id: string): PointTable | undefined {
    return this.#tables.get(id)
  }

  /** Errors: `POINT_UNKNOWN` with the nearest id. */
  table(id: string, kind: Point['kind']): PointTable {
    const table = this.#tables.get(id)
    if (table?.point.kind === kind) return table
    const suggestion = table === undefined ? didYouMean(id, this.#tables.keys()) : ` of kind ${kind}`
    throw kernelErrors.error('POINT_UNKNOWN', { point: id, suggestion }, { point: id })
  }

  /** Permissions that points of this kind take, of those that are filled. */
  taken(filled: readonly string[], kind: Point['kind']): readonly string[] {
    return filled.flatMap((id) => {
      const point = this.find(id)?.point
      return point?.kind === kind && point.permission !== undefined ? [point.permission] : []
    })
  }

  /** Makes what a usable plugin declares reachable. Errors: `POINT_CONFLICT` (nothing is bound). */
  bind(plugin: Plugin): void {
    const contributions = contributionsOf(plugin)
    for (const { point, name } of contributions) refuseTaken(plugin, this.find(point), name)
    for (const { point, name, metadata } of contributions) {
      const table = this.find(point)
      table?.bindings.set(table.key(plugin.id, name), { plugin, name, metadata })
    }
    this.touch(plugin)
  }

  unbind(plugin: Plugin): void {
    for (const { point, name } of contributionsOf(plugin)) {
      const table = this.find(point)
      const key = table?.key(plugin.id, name) ?? ''
      if (table?.bindings.get(key)?.plugin === plugin) table.bindings.delete(key)
    }
    this.touch(plugin)
  }

  /** To be told of every change of a plugin's state; who watches its points hears of it. */
  touch(plugin: Plugin): void {
    if (plugin.usable) this.#unusable.delete(plugin)
    else this.#unusable.add(plugin)
    for (const { point } of contributionsOf(plugin)) {
      const table = this.find(point)
      if (table === undefined) continue
      table.handlers = undefined
      this.#watches.touch(table)
    }
  }

  /** The plugin is gone; for a while its names are refused with the reason instead of as unknown. */
  forget(plugin: Plugin, reason: string): void {
    this.unbind(plugin)
    this.#unusable.delete(plugin)
    for (const { point, name } of contributionsOf(plugin)) this.#gone.set(`${point} ${name}`, { plugin: plugin.id, reason })
    for (const key of this.#gone.keys()) {
      if (this.#gone.size <= mostGone) break
      this.#gone.delete(key)
    }
  }

  /** Why nobody provides a name now: the plugin that would, or the nearest name. */
  missing(table: PointTable, name: string): Error {
    const point = table.point.id
    for (const plugin of this.#unusable) {
      if (contributionsOf(plugin).some((one) => one.point === point && one.name === name)) return unavailable(plugin)
    }
    const gone = this.#gone.get(`${point} ${name}`)
    if (gone !== undefined) return kernelErrors.error('PLUGIN_UNAVAILABLE', { ...gone }, { plugin: gone.plugin, point })
    const suggestion = didYouMean(name, table.bindings.keys())
    return kernelErrors.error('POINT_UNKNOWN_PROVIDER', { point, name, suggestion }, { point })
  }

  contributions(table: PointTable): readonly PointUser[] {
    const users = this.#list(table).map(({ user }) => user)
    return table.point.kind === 'hook' ? inRunningOrder(users) : users
  }

  #list(table: PointTable): readonly ListedUser[] {
    const users = [...table.bindings.values()].map(listed)
    for (const plugin of this.#unusable) {
      for (const { point, name, metadata } of contributionsOf(plugin)) {
        if (point !== table.point.id) continue
        if (table.bindings.get(table.key(plugin.id, name))?.plugin !== plugin) users.push(listed({ plugin, name, metadata }))
      }
    }
    return users.sort((a, b) => compare(a.user.name, b.user.name) || compare(a.user.plugin, b.user.plugin))
  }

  /** Handlers that count: those of usable plugins, and of broken ones that must not be passed over. */
  handlers(table: PointTable, mustNotBePassedOver: (plugin: Plugin) => boolean): readonly Binding[] {
    const bindings = [...table.bindings.values()].filter(({ plugin }) => plugin.usable)
    for (const plugin of this.#unusable) {
      const isBroken = plugin.isHeldBack || (plugin.candidate.failure !== undefined && plugin.off === undefined)
      if (!isBroken || !mustNotBePassedOver(plugin)) continue
      for (const { point, name, metadata } of contributionsOf(plugin)) {
        if (point === table.point.id) bindings.push({ plugin, name, metadata })
      }
    }
    return bindings
  }

  data<V>(table: PointTable): readonly DataEntry<V>[] {
    const entries: DataEntry<V>[] = []
    for (const { plugin, name, metadata } of table.bindings.values()) {
      if (!plugin.usable) continue
      const added = plugin.serving?.data.find((entry) => entry.point === table.point.id && entry.name === name)
      const value = added === undefined ? metadata : added.value
      if (added !== undefined || !isLeftForSetup(table, metadata)) entries.push({ plugin: plugin.id, name, value: value as V })
    }
    return entries.sort((a, b) => compare(a.name, b.name) || compare(a.plugin, b.plugin))
  }

  watch(table: PointTable, listener: PointListener): Disposable {
    return this.#watches.add(table, listener)
  }
}

/** What a plugin declares, also for points that this host does not have. */
function contributionsOf({ candidate }: Plugin): readonly Contributed[] {
  return candidate.declared?.contributions ?? none
}

const none: readonly never[] = Object.freeze([])

/** Those that are not available stand last: what they declare was perhaps never checked. */
function inRunningOrder(users: readonly PointUser[]): readonly PointUser[] {
  const available = users.filter((user) => user.available)
  const sequence = orderHandlers(available.map((user) => ({ user, ...user, plugin: { id: user.plugin } })))
  const ordered = sequence.ok ? sequence.handlers.map(({ user }) => user) : available
  return [...ordered, ...users.filter((user) => !user.available)]
}

/** A permission nobody can ask for would shut the point, or be taken for one that is kept. */
function refuseUnnamed(point: Point, vocabulary: PermissionVocabulary): void {
  const methods = point.kind === 'provider' ? Object.values(point.methods) : []
  for (const { permission } of [point, ...methods]) {
    if (permission === undefined || Object.hasOwn(vocabulary, permission)) continue
    const problem = `takes the permission ${permission}, which the host does not name`
    throw kernelErrors.error('POINT_INVALID', { point: point.id, problem })
  }
}

/** A provider's name has one owner. */
function refuseTaken(plugin: Plugin, table: PointTable | undefined, name: string): void {
  if (table?.point.kind !== 'provider') return
  const other = table.bindings.get(name)?.plugin
  if (other === undefined || other === plugin) return
  const point = table.point.id
  const parameters = { plugin: plugin.id, other: other.id, point, name }
  throw kernelErrors.error('POINT_CONFLICT', parameters, { plugin: plugin.id, point })
}

function listed({ plugin, name, metadata }: Binding): ListedUser {
  const reason = unavailableReason(plugin.state) ?? plugin.off ?? plugin.candidate.failure?.message ?? plugin.candidate.denied
  const base = { plugin: plugin.id, version: plugin.candidate.version, name, metadata, available: reason === undefined }
  const recovers = plugin.usable && plugin.state.name === 'failed'
  return {
    user: reason === undefined ? base : { ...base, reason, ...(recovers ? { recovers } : {}) },
    epoch: plugin.epoch,
  }
}

/** An empty object that is not a value stands for "setup adds it". */
function isLeftForSetup(table: PointTable, metadata: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(metadata).length === 0 && table.declared?.(metadata).issues !== undefined
}

/** The plugin takes no calls, and why. */
export function unavailable(plugin: Plugin): Error {
  const { state, candidate, id } = plugin
  const failure = state.name === 'failed' || state.name === 'quarantined' ? state.failure : candidate.failure
  const reason = unavailableReason(state) ?? plugin.off ?? failure?.message ?? candidate.denied ?? 'it was stopped'
  const retryAtMs = state.name === 'failed' && plugin.usable ? state.retryAtMs : undefined
  const details = {
    state: state.name,
    ...(failure === undefined ? {} : { code: failure.code, stage: failure.stage }),
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
  }
  const retryable = retryAtMs !== undefined
  return kernelErrors.error('PLUGIN_UNAVAILABLE', { plugin: id, reason }, { plugin: id, details, hint: failure?.hint, retryable })
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
