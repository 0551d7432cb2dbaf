import type { CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'
import type { Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { namedLane } from './named-lane.ts'
import { fallbacksOf, namesFrom, type Ways } from './fallback.ts'
import { openInstance } from './open-instance.ts'
import { OpenedWays } from './opened-ways.ts'
import type { Route } from '../points/point-table.ts'
import type { OpenedInstance, Target } from '../ports.ts'

/** What one generation calls at other plugins. The numbers of the instances it opened mean nothing outside it. */
export class OpenedByPlugin {
  readonly #core: Core
  readonly #plugin: string
  readonly #instances = new Map<number, OpenedWays>()
  #newest = 0

  constructor(core: Core, plugin: string) {
    this.#core = core
    this.#plugin = plugin
  }

  /** One try at one name. Errors: `POINT_UNKNOWN`, `CALL_METHOD_MISSING`, `CALL_INSTANCE_UNKNOWN`, those of a call. */
  async call(target: Target, value: unknown, request: CallRequest): Promise<unknown> {
    const { route, lane, opened } = this.#find(target)
    if (opened !== undefined) return opened.call(target.name, route, value, request)
    return this.#core.dispatcher.call(lane, { route, target, value }, request)
  }

  stream(target: Target, value: unknown, request: CallRequest): AsyncIterable<unknown> {
    const { route, lane, opened } = this.#find(target)
    if (opened !== undefined) return opened.stream(target.name, route, value, request)
    return this.#core.dispatcher.stream(lane, { route, target, value }, request)
  }

  /** The names a call of the plugin may go to. */
  ways({ point, name, method, instance }: Target): Ways {
    const opened = instance === undefined ? undefined : this.#instances.get(instance)
    if (opened !== undefined) return opened.ways(method)
    return { point, method, names: instance === undefined ? [name, ...fallbacksOf(this.#core, point, name)] : [name] }
  }

  async open(target: Target, options: unknown, request: CallRequest, ways: Ways): Promise<OpenedInstance> {
    const table = this.#core.points.table(target.point, 'provider')
    const laneOf = (name: string): Lane => namedLane(this.#core, table, name)
    const subject = { table, name: target.name, lane: laneOf(target.name), laneOf }
    const first = await openInstance(this.#core, subject, options, request)
    this.#newest += 1
    const names = namesFrom(ways, target.name)
    this.#instances.set(this.#newest, new OpenedWays(this.#core, { subject, names, options, first }))
    return { instance: this.#newest, methods: first.methods }
  }

  async close(target: Target): Promise<void> {
    const number = target.instance ?? 0
    const opened = this.#instances.get(number)
    this.#instances.delete(number)
    await opened?.close()
  }

  releaseAll(): void {
    for (const opened of this.#instances.values()) void opened.close()
    this.#instances.clear()
  }

  #find(target: Target): { readonly route: Route; readonly lane: Lane; readonly opened: OpenedWays | undefined } {
    const { point, name, method, instance } = target
    const table = this.#core.points.table(point, 'provider')
    const route = table.routes.get(method)
    if (route === undefined)
      throw kernelErrors.error('CALL_METHOD_MISSING', { plugin: 'the point', point, name, method }, { point })
    const isOpened = instance !== undefined || table.open !== undefined
    return { route, lane: namedLane(this.#core, table, name), opened: isOpened ? this.#opened(target) : undefined }
  }

  #opened({ point, name, method, instance = 0 }: Target): OpenedWays {
    const opened = this.#instances.get(instance)
    if (opened !== undefined && opened.first.target.point === point && opened.ways(method).names.includes(name)) return opened
    const plugin = this.#plugin
    throw kernelErrors.error('CALL_INSTANCE_UNKNOWN', { plugin, point, name, instance }, { plugin, point })
  }
}
