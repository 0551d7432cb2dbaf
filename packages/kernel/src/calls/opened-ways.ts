import type { CallOptions, PlatformError } from '@backplane/sdk'
import type { CallRequest } from './active-call.ts'
import { boundedWait } from './bounded-wait.ts'
import type { Core } from '../core.ts'
import type { CallSubjectRequest, Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { isNotTaken, streamWithFallbacks, type Ways, withFallbacks } from './fallback.ts'
import { type ClientSubject, laneTo, openInstance, type OpenedOn, pinnedLane } from './open-instance.ts'
import { unavailableReason } from '../plugins/plugin.ts'
import { unavailable } from '../points/points.ts'
import type { Route } from '../points/point-table.ts'
import { messageOf } from './thrown.ts'

/** A method of a client, whatever its point makes of it. */
export type MethodOfClient = (value: unknown, options?: CallOptions) => unknown

/** What {@link OpenedWays} are made of. */
export interface OpenedParts {
  readonly subject: ClientSubject
  /** Where it was opened, and the names that may be asked instead, in order. */
  readonly names: readonly string[]
  /** What it was opened with. */
  readonly options: unknown
  readonly first: OpenedOn
}

/**
 * An opened instance, and those like it that are opened at the next names while its own provider is not asked or takes no
 * calls. Another is opened with the same settings, once, at the first call that needs it.
 */
export class OpenedWays {
  readonly first: OpenedOn
  readonly #core: Core
  readonly #parts: OpenedParts
  readonly #others = new Map<string, Promise<OpenedOn>>()
  #isClosed = false

  constructor(core: Core, parts: OpenedParts) {
    this.#core = core
    this.#parts = parts
    this.first = parts.first
  }

  /** What a call of one of its methods may be asked of. */
  ways(method: string): Ways {
    return { point: this.#parts.subject.table.point.id, method, names: this.#isClosed ? [this.first.name] : this.#parts.names }
  }

  /** Calls one route of it, by the same rules as every other call. */
  method(route: Route): MethodOfClient {
    const { dispatcher } = this.#core
    const ways = this.ways(route.method)
    const own = askOf(this.first, route)
    if (ways.names.length === 1) {
      const lane = pinnedLane(this.first.generation)
      return route.kind === 'stream'
        ? (value, options = nothingSaid) => dispatcher.stream(lane, { ...own, value }, options)
        : (value, options = nothingSaid) => dispatcher.call(lane, { ...own, value }, options)
    }
    if (route.kind === 'stream') {
      return (value, options = nothingSaid) =>
        streamWithFallbacks(this.#core, this.ways(route.method), options, (to) => this.stream(to, route, value, options))
    }
    return (value, options = nothingSaid) =>
      withFallbacks(this.#core, this.ways(route.method), options, (to) => this.call(to, route, value, options))
  }

  /** One try at one name. Errors: `CALL_FALLBACK_REFUSED`, those of a call. */
  async call(to: string, route: Route, value: unknown, request: CallRequest): Promise<unknown> {
    const opened = await this.#at(to, request)
    return this.#core.dispatcher.call(this.#lane(opened), { ...askOf(opened, route), value }, request)
  }

  async *stream(to: string, route: Route, value: unknown, request: CallRequest): AsyncIterable<unknown> {
    const opened = await this.#at(to, request)
    yield* this.#core.dispatcher.stream(this.#lane(opened), { ...askOf(opened, route), value }, request)
  }

  /** Closes whatever was opened. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    const others = [...this.#others.values()].map(async (opening) => (await opening.catch(() => undefined))?.close())
    await Promise.all([this.first.close(), ...others])
  }

  /** An instance whose plugin takes no calls is refused as the plugin is, so that the next name is asked. */
  #lane(opened: OpenedOn): Lane {
    const { plugin, generation } = pinnedLane(opened.generation)
    return {
      plugin,
      generation: (of) => {
        const isGone = this.#core.plugins.get(of.id) !== of || !of.usable || unavailableReason(of.state) !== undefined
        if (opened.generation.ended !== undefined && isGone) throw unavailable(of)
        return generation(of)
      },
    }
  }

  #at(name: string, request: CallRequest): OpenedOn | Promise<OpenedOn> {
    if (name === this.first.name) return this.first
    const opening = this.#others.get(name) ?? this.#begin(name, request)
    return boundedWait(opening, { signal: request.signal })
  }

  /** For all who need it, so nobody's signal ends it. */
  #begin(name: string, { caller, traceId }: CallRequest): Promise<OpenedOn> {
    const opening = this.#open(name, {
      ...(caller === undefined ? {} : { caller }),
      ...(traceId === undefined ? {} : { traceId }),
    })
    this.#others.set(name, opening)
    const forget = (): void => {
      if (this.#others.get(name) === opening) this.#others.delete(name)
    }
    opening.then(({ generation }) => generation.signal.addEventListener('abort', forget, { once: true }), forget)
    return opening
  }

  async #open(name: string, request: CallRequest): Promise<OpenedOn> {
    const { subject, options } = this.#parts
    const lane = laneTo(subject, name)
    try {
      return await openInstance(this.#core, { ...subject, name, lane }, options, request)
    } catch (error) {
      const { plugin } = error as Partial<PlatformError>
      if (isNotTaken(error) || plugin === undefined) throw error
      const parameters = { name, instead: this.first.name, point: subject.table.point.id, reason: messageOf(error) }
      throw kernelErrors.error('CALL_FALLBACK_REFUSED', parameters, { plugin, point: parameters.point, cause: error })
    }
  }
}

const nothingSaid: CallRequest = Object.freeze({})

function askOf({ name, instance }: OpenedOn, route: Route): Omit<CallSubjectRequest, 'value'> {
  const { point, method } = route
  return { route, target: { point, name, method, instance } }
}
