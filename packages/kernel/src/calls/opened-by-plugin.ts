import type { CallRequest } from './active-call.ts'
import { type OpenedOn, openInstance, pinnedLane } from './client.ts'
import type { Core } from '../core.ts'
import type { Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { namedLane } from './named-lane.ts'
import { fallbacksOf, type Ways } from './fallback.ts'
import type { Route } from '../points/point-table.ts'
import type { OpenedInstance, Target } from '../ports.ts'

/** Where a call of a plugin leads. */
export interface Found {
  readonly lane: Lane
  readonly route: Route
  /** The target as the called plugin knows it. */
  readonly known: Target
}

/** What one generation calls at other plugins. The numbers of the instances it opened mean nothing outside it. */
export class OpenedByPlugin {
  readonly #core: Core
  readonly #plugin: string
  readonly #instances = new Map<number, OpenedOn>()
  #newest = 0

  constructor(core: Core, plugin: string) {
    this.#core = core
    this.#plugin = plugin
  }

  /** Errors: `POINT_UNKNOWN`, `CALL_METHOD_MISSING`, `CALL_INSTANCE_UNKNOWN`. */
  find(target: Target): Found {
    const { point, name, method, instance } = target
    const table = this.#core.points.table(point, 'provider')
    const route = table.routes.get(method)
    if (route === undefined)
      throw kernelErrors.error('CALL_METHOD_MISSING', { plugin: 'the point', point, name, method }, { point })
    if (instance === undefined && table.open === undefined)
      return { lane: namedLane(this.#core, table, name), route, known: target }
    const opened = this.#opened(target)
    return { lane: pinnedLane(opened.generation), route, known: { ...target, instance: opened.instance } }
  }

  /** The names a call of the plugin may go to; an opened instance stays where it was opened. */
  ways({ point, name, method, instance }: Target): Ways {
    return { point, method, names: instance === undefined ? [name, ...fallbacksOf(this.#core, point, name)] : [name] }
  }

  async open(target: Target, options: unknown, request: CallRequest): Promise<OpenedInstance> {
    const table = this.#core.points.table(target.point, 'provider')
    const subject = { table, name: target.name, lane: namedLane(this.#core, table, target.name) }
    const opened = await openInstance(this.#core, subject, options, request)
    this.#newest += 1
    this.#instances.set(this.#newest, opened)
    return { instance: this.#newest, methods: opened.methods }
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

  #opened(target: Target): OpenedOn {
    const { point, name, instance = 0 } = target
    const opened = this.#instances.get(instance)
    if (opened !== undefined && opened.target.point === point && opened.target.name === name) return opened
    const plugin = this.#plugin
    throw kernelErrors.error('CALL_INSTANCE_UNKNOWN', { plugin, point, name, instance }, { plugin, point })
  }
}
