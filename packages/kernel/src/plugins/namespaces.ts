import { didYouMean } from '@backplane/sdk'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { Generation } from './generation.ts'
import type { Plugin } from './plugin.ts'
import type { LimitName } from '../ports.ts'
import type {
  Namespace,
  NamespaceDirectory,
  NamespaceLimits,
  NamespaceUse,
  Resource,
  ResourceGuard,
  UsageSample,
} from '../supervision.ts'

const mebibyte = 1024 ** 2
const none: NamespaceLimits = Object.freeze({})
/** Summed from samples, and what is done about the largest user when a group holds more than it may. */
const sampled: readonly (readonly [resource: Resource, limit: LimitName])[] = [
  ['memoryMiB', 'memory'],
  ['cpuPercent', 'cpu'],
  ['processes', 'processes'],
  ['openFiles', 'open-files'],
]

/** The calls a group has, counted as they come and go: all that the way of a call has to know of groups. */
export class CallGroup {
  readonly name: string
  readonly most: number
  calls = 0

  constructor(name: string, most: number) {
    this.name = name
    this.most = most
  }
}

/** The groups of a kernel: who is in which, what they use together, and what follows when that is too much. */
export class Namespaces implements NamespaceDirectory {
  readonly #core: Core
  readonly #running: ReadonlySet<Generation>
  readonly #groups: ReadonlyMap<string, Group>

  constructor(core: Core, running: ReadonlySet<Generation>) {
    this.#core = core
    this.#running = running
    const { default: rest, ...named } = core.options.namespaces ?? {}
    const groups = Object.entries(named).map(([name, { plugins, limits }]) => new Group(name, plugins, limits))
    groups.push(new Group('default', ['*'], rest?.limits ?? none))
    this.#groups = new Map(groups.map((group) => [group.name, group]))
  }

  /** The first group that names the plugin. */
  nameOf(id: string): string {
    for (const group of this.#groups.values()) if (group.names(id)) return group.name
    return 'default'
  }

  limitsOf(id: string): NamespaceLimits {
    return this.#groups.get(this.nameOf(id))?.limits ?? none
  }

  groupOf({ namespace }: Plugin): CallGroup | undefined {
    return this.#groups.get(namespace)?.calls
  }

  readonly get = (name: string): Namespace => {
    const group = this.#groups.get(name)
    if (group === undefined) {
      throw kernelErrors.error('NAMESPACE_UNKNOWN', { name, suggestion: didYouMean(name, this.#groups.keys()) })
    }
    return this.#view(group)
  }

  readonly list = (): readonly Namespace[] => [...this.#groups.values()].map((group) => this.#view(group))

  /** Holds a group to its limits, now that there is a newer sample: its largest user goes over them for all. */
  weigh(name: string): void {
    const group = this.#groups.get(name)
    if (group === undefined || group.limits === none) return
    for (const [resource, limit] of sampled) {
      const most = group.limits[resource]
      const used = most === undefined ? 0 : this.#sum(group, resource)
      if (most === undefined || used <= most) continue
      const largest = [...this.#members(group)].reduce<Generation | undefined>(
        (found, one) => (found === undefined || amountOf(one.usage, resource) > amountOf(found.usage, resource) ? one : found),
        undefined,
      )
      if (largest === undefined) continue
      const own = amountOf(largest.usage, resource)
      const detail = `namespace ${name} uses ${used} of ${most} ${resource}; ${own} of that are its own, the most of all`
      this.#core.supervisor.violations.report(largest.plugin.id, largest.number, { kind: 'limit', limit, detail })
    }
  }

  /** The one of a group that has the most calls; undefined where none has any, because all of them are held by the host. */
  busiest(name: string): Generation | undefined {
    const group = this.#groups.get(name)
    let busiest: Generation | undefined
    for (const one of group === undefined ? [] : this.#members(group)) {
      if (one.calls > (busiest?.calls ?? 0)) busiest = one
    }
    return busiest
  }

  #view(group: Group): Namespace {
    const ids = [...this.#core.plugins.values()].filter(({ namespace }) => namespace === group.name).map(({ id }) => id)
    return {
      name: group.name,
      limits: group.limits,
      members: ids.sort(),
      used: this.#used(group),
      check: (resource, amount = 1) => this.#check(group, resource, amount),
    }
  }

  #used(group: Group): NamespaceUse {
    const of = (resource: Resource): number => this.#sum(group, resource) + (group.held.get(resource) ?? 0)
    return {
      memoryMiB: of('memoryMiB'),
      cpuPercent: of('cpuPercent'),
      processes: of('processes'),
      openFiles: of('openFiles'),
      concurrency: of('concurrency'),
    }
  }

  #check(group: Group, resource: Resource, amount: number): ResourceGuard {
    if (!(amount >= 0 && amount < Infinity)) throw new RangeError(`${amount} is no amount of ${resource}`)
    const most = group.limits[resource]
    const used = this.#used(group)[resource]
    if (most !== undefined && used + amount > most) throw namespaceLimit(group.name, resource, { used, most, amount })
    group.hold(resource, amount)
    let isHeld = true
    const release = (): void => {
      if (isHeld) group.hold(resource, -amount)
      isHeld = false
    }
    return { resource, amount, release, [Symbol.dispose]: release }
  }

  #sum(group: Group, resource: Resource): number {
    let sum = 0
    for (const one of this.#members(group)) sum += resource === 'concurrency' ? one.calls : amountOf(one.usage, resource)
    return sum
  }

  *#members(group: Group): Generator<Generation> {
    for (const one of this.#running) if (one.plugin.namespace === group.name && one.ended === undefined) yield one
  }
}

/** The group would be over its limit. */
export function namespaceLimit(
  name: string,
  resource: Resource,
  { used, most, amount }: { readonly used: number; readonly most: number; readonly amount: number },
): Error {
  return kernelErrors.error('NAMESPACE_LIMIT', { name, resource, used, most, amount }, { details: { namespace: name, resource } })
}

class Group {
  readonly name: string
  readonly limits: NamespaceLimits
  readonly held: Map<Resource, number> = new Map()
  /** Undefined while calls of the group are not limited: then nobody counts them. */
  readonly calls: CallGroup | undefined
  readonly #patterns: readonly string[]

  constructor(name: string, patterns: readonly string[], limits: NamespaceLimits) {
    this.name = name
    this.limits = limits
    this.#patterns = patterns
    this.calls = limits.concurrency === undefined ? undefined : new CallGroup(name, limits.concurrency)
  }

  names(id: string): boolean {
    return this.#patterns.some((one) => one === '*' || one === id || (one.endsWith('/*') && id.startsWith(one.slice(0, -1))))
  }

  hold(resource: Resource, amount: number): void {
    this.held.set(resource, (this.held.get(resource) ?? 0) + amount)
    if (resource === 'concurrency' && this.calls !== undefined) this.calls.calls += amount
  }
}

function amountOf(usage: UsageSample | undefined, resource: Resource): number {
  switch (resource) {
    case 'memoryMiB':
      return Math.ceil((usage?.memoryBytes ?? usage?.heapBytes ?? 0) / mebibyte)
    case 'cpuPercent':
      return usage?.cpuPercent ?? 0
    case 'processes':
      return usage?.processes ?? 0
    case 'openFiles':
      return usage?.openFiles ?? 0
    case 'concurrency':
      return 0
  }
}
