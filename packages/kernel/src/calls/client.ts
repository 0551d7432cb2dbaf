import type { CallOptions, ProviderHandle, ProviderPoint } from '@backplane/sdk'
import type { CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'
import type { CallSubjectRequest, Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { fallbacksOf, streamWithFallbacks, type Ways, withFallbacks } from './fallback.ts'
import type { Generation } from '../plugins/generation.ts'
import type { PointTable, Route } from '../points/point-table.ts'
import type { CallContext, OpenedInstance, Target } from '../ports.ts'
import { within } from '../stages/stop.ts'
import type { Perform } from './unary-call.ts'

const nothingSaid: CallRequest = Object.freeze({})

/** What a client leads to. */
export interface ClientSubject {
  readonly table: PointTable
  readonly name: string
  readonly lane: Lane
  /** Leads to another name of the point, where the host's fallbacks count. */
  readonly laneOf?: (name: string) => Lane
}

/** The handle of one provider: its methods, or for one that is opened the way to open it. */
export function handleOf<P extends ProviderPoint>(core: Core, subject: ClientSubject): ProviderHandle<P> {
  const { table, name } = subject
  if (table.open === undefined) {
    const has = (method: string): boolean => {
      const route = table.routes.get(method)
      if (route === undefined) return false
      return !route.optional || (table.bindings.get(name)?.plugin.serving?.supplies(route.point, name, method) ?? false)
    }
    return closed({ ...methodsOf(core, subject, undefined), has }) as ProviderHandle<P>
  }
  const ways = waysOf(core, subject, 'open')
  const open = async (options: unknown, request: CallRequest = nothingSaid): Promise<unknown> =>
    withFallbacks(core, ways, request, async (to) => {
      const other = { ...subject, name: to, lane: laneTo(subject, to) }
      return openedClient(core, other, await openInstance(core, other, options, request))
    })
  return closed({ open }) as ProviderHandle<P>
}

/** An instance as it was opened, on the generation it belongs to. */
export interface OpenedOn extends OpenedInstance {
  readonly generation: Generation
  readonly target: Target
  readonly close: () => Promise<void>
}

/** Opens an instance and checks that it supplies what the point demands. Errors: `POINT_METHOD_MISSING` and those of a call. */
export async function openInstance(
  core: Core,
  subject: ClientSubject,
  options: unknown,
  request: CallRequest,
): Promise<OpenedOn> {
  const { table, name, lane } = subject
  const route = table.open
  const point = table.point.id
  if (route === undefined)
    throw kernelErrors.error('POINT_INVALID', { point, problem: 'is used without being opened' }, { point })
  const target: Target = { point, name, method: 'open' }
  const opening = new Opening(core, (instance) => ({ point, name, method: 'close', instance }))
  try {
    const opened = (await core.dispatcher.call(lane, { route, target, value: options }, request, opening)) as OpenedInstance
    const missing = [...table.routes.values()].find(({ optional, method }) => !optional && !opened.methods.includes(method))
    const on = opening.opened(opened)
    if (missing === undefined) return on
    await on.close()
    const plugin = on.generation.plugin.id
    throw kernelErrors.error('POINT_METHOD_MISSING', { plugin, point, name, method: missing.method }, { plugin, point })
  } catch (error) {
    opening.release()
    throw error
  }
}

/**
 * One attempt to open an instance. It counts on its generation from the moment that is asked, so that a generation that
 * is being replaced does not end between the answer and the first use of what was opened.
 */
class Opening implements Perform {
  readonly #core: Core
  readonly #closeTarget: (instance: number) => Target
  #held: Generation | undefined

  constructor(core: Core, closeTarget: (instance: number) => Target) {
    this.#core = core
    this.#closeTarget = closeTarget
  }

  run(generation: Generation, target: Target, input: unknown, context: CallContext): Promise<unknown> {
    this.#held = generation
    generation.opened += 1
    return generation.instance.open(target, input, context)
  }

  late(generation: Generation, _target: Target, answer: unknown): void {
    void closeInstance(this.#core, generation, this.#closeTarget((answer as OpenedInstance).instance))
  }

  opened(instance: OpenedInstance): OpenedOn {
    const generation = this.#held
    if (generation === undefined) throw new TypeError('an instance was opened on no generation')
    const target = this.#closeTarget(instance.instance)
    let closing: Promise<void> | undefined
    const close = (): Promise<void> => (closing ??= closeInstance(this.#core, generation, target).finally(() => this.release()))
    return { instance: instance.instance, methods: instance.methods, generation, target, close }
  }

  /** Idempotent. */
  release(): void {
    const generation = this.#held
    this.#held = undefined
    if (generation === undefined) return
    generation.opened -= 1
    generation.changed?.()
  }
}

/** A lane that always leads to one generation, until it has ended. */
export function pinnedLane(generation: Generation): Lane {
  return {
    plugin: () => generation.plugin,
    generation: () => {
      if (generation.ended !== undefined) throw generation.ended
      return generation
    },
  }
}

/** Waits no longer than for a plugin that stops: a close that never ends holds up neither its caller nor a drain. */
async function closeInstance(core: Core, on: Generation, target: Target): Promise<void> {
  if (on.ended !== undefined) return
  // an instance whose close fails is gone with its generation; the caller has nothing left to do
  await within(core, core.times.stopMs, on.instance.close(target)).catch(() => undefined)
}

function openedClient(core: Core, subject: ClientSubject, opened: OpenedOn): unknown {
  const lane = pinnedLane(opened.generation)
  const supplied = new Set(opened.methods)
  const methods = methodsOf(core, { table: subject.table, name: subject.name, lane }, opened.instance, supplied)
  const has = (method: string): boolean => subject.table.routes.has(method) && supplied.has(method)
  return closed({ ...methods, has, [Symbol.asyncDispose]: opened.close })
}

type MethodOfClient = (value: unknown, options?: CallOptions) => unknown

function methodsOf(
  core: Core,
  { table, name, lane, laneOf }: ClientSubject,
  instance: number | undefined,
  supplied?: ReadonlySet<string>,
): Record<string, MethodOfClient> {
  const methods: Record<string, MethodOfClient> = {}
  for (const route of table.routes.values()) {
    const { point, method } = route
    const target: Target = Object.freeze(instance === undefined ? { point, name, method } : { point, name, method, instance })
    if (supplied !== undefined && !supplied.has(method)) methods[method] = missingMethod(lane, route, name)
    else if (instance === undefined && laneOf !== undefined && fallbacksOf(core, point, name).length > 0) {
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

function laneTo({ name, lane, laneOf }: ClientSubject, to: string): Lane {
  return to === name || laneOf === undefined ? lane : laneOf(to)
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
