import type { ProviderHandle, ProviderPoint } from '@backplane/sdk'
import type { CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'
import type { CallSubjectRequest, Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { fallbacksOf, namesFrom, streamWithFallbacks, type Ways, withFallbacks } from './fallback.ts'
import { type ClientSubject, laneTo, openInstance, pinnedLane } from './open-instance.ts'
import { type MethodOfClient, OpenedWays } from './opened-ways.ts'
import type { Route } from '../points/point-table.ts'
import type { Target } from '../ports.ts'

const nothingSaid: CallRequest = Object.freeze({})

/** The handle of one provider: its methods, or for one that is opened the way to open it. */
export function handleOf<P extends ProviderPoint>(core: Core, subject: ClientSubject): ProviderHandle<P> {
  const { table, name } = subject
  if (table.open === undefined) {
    const has = (method: string): boolean => {
      const route = table.routes.get(method)
      if (route === undefined) return false
      return !route.optional || (table.bindings.get(name)?.plugin.serving?.supplies(route.point, name, method) ?? false)
    }
    return closed({ ...methodsOf(core, subject), has }) as ProviderHandle<P>
  }
  const ways = waysOf(core, subject, 'open')
  const open = async (options: unknown, request: CallRequest = nothingSaid): Promise<unknown> =>
    withFallbacks(core, ways, request, async (to) => {
      const from = { ...subject, name: to, lane: laneTo(subject, to) }
      const first = await openInstance(core, from, options, request)
      return openedClient(core, from, new OpenedWays(core, { subject: from, names: namesFrom(ways, to), options, first }))
    })
  return closed({ open }) as ProviderHandle<P>
}

function openedClient(core: Core, { table }: ClientSubject, opened: OpenedWays): unknown {
  const { name, methods: supplies } = opened.first
  const lane = pinnedLane(opened.first.generation)
  const supplied = new Set(supplies)
  const methods: Record<string, MethodOfClient> = {}
  for (const route of table.routes.values()) {
    methods[route.method] = supplied.has(route.method) ? opened.method(route) : missingMethod(lane, route, name)
  }
  const has = (method: string): boolean => table.routes.has(method) && supplied.has(method)
  return closed({ ...methods, has, [Symbol.asyncDispose]: () => opened.close() })
}

function methodsOf(core: Core, { table, name, lane, laneOf }: ClientSubject): Record<string, MethodOfClient> {
  const methods: Record<string, MethodOfClient> = {}
  for (const route of table.routes.values()) {
    const { point, method } = route
    const target: Target = Object.freeze({ point, name, method })
    if (laneOf !== undefined && fallbacksOf(core, point, name).length > 0) {
      methods[method] = methodWithFallbacks(core, { table, name, lane, laneOf }, route)
    } else if (route.kind === 'stream') {
      methods[method] = (value, options = nothingSaid) => core.dispatcher.stream(lane, { route, target, value }, options)
    } else {
      methods[method] = (value, options = nothingSaid) => core.dispatcher.call(lane, { route, target, value }, options)
    }
  }
  return methods
}

function methodWithFallbacks(core: Core, subject: ClientSubject, route: Route): MethodOfClient {
  const { point, method } = route
  const ways = waysOf(core, subject, method)
  const ask = (to: string, value: unknown): CallSubjectRequest => ({ route, target: { point, name: to, method }, value })
  if (route.kind === 'stream') {
    return (value, options = nothingSaid) =>
      streamWithFallbacks(core, ways, options, (to) => core.dispatcher.stream(laneTo(subject, to), ask(to, value), options))
  }
  return (value, options = nothingSaid) =>
    withFallbacks(core, ways, options, (to) => core.dispatcher.call(laneTo(subject, to), ask(to, value), options))
}

function waysOf(core: Core, { table, name, laneOf }: ClientSubject, method: string): Ways {
  const point = table.point.id
  return { point, method, names: [name, ...(laneOf === undefined ? [] : fallbacksOf(core, point, name))] }
}

function missingMethod(lane: Lane, route: Route, name: string): MethodOfClient {
  const { point, method } = route
  const error = (): Error => {
    const plugin = lane.plugin().id
    return kernelErrors.error('CALL_METHOD_MISSING', { plugin, point, name, method }, { plugin, point })
  }
  if (route.kind === 'unary') return () => Promise.reject(error())
  return () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error()) }) })
}

/** Without a prototype and frozen: it has exactly what the point declares, and is never taken for a promise. */
function closed(members: object): unknown {
  return Object.freeze(Object.assign(Object.create(null) as object, members))
}
