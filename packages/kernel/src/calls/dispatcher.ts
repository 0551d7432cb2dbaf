import { type ActiveCall, abortError, type CallingPlugin, type CallRequest, type CallSubject } from './active-call.ts'
import { inputInvalid, notPermitted } from './call-error.ts'
import { kernelErrors } from '../errors.ts'
import type { Generation } from '../plugins/generation.ts'
import type { InFlight } from './in-flight.ts'
import type { Plugin } from '../plugins/plugin.ts'
import type { Route } from '../points/point-table.ts'
import type { Limits, Target } from '../ports.ts'
import { StreamCall } from './stream-call.ts'
import { type Perform, UnaryCall } from './unary-call.ts'

/** Leads from a client to the generation that serves it now. */
export interface Lane {
  /** Errors: `POINT_UNKNOWN_PROVIDER`, `PLUGIN_UNAVAILABLE`, `KERNEL_STOPPING`. */
  readonly plugin: () => Plugin
  /** At once when it runs, a promise when it has to be started first. Errors: `GENERATION_ENDED`, why it cannot start. */
  readonly generation: (plugin: Plugin) => Generation | Promise<Generation>
}

/** What a call needs to end in. */
export interface CallEnds {
  readonly inFlight: InFlight
  /** Says what it means that an instance answered with an error — the plugin threw, or is gone — and ends the call so. */
  readonly failed: (call: ActiveCall, thrown: unknown) => void
}

/** What the dispatcher needs of the kernel. */
export interface DispatcherParts extends CallEnds {
  readonly limitsOf: (plugin: Plugin) => Limits
  /** For the cleanup of a stream that is left. */
  readonly stopMs: number
  /** Told of each call that a plugin was not even asked for. */
  readonly refused: (plugin: Plugin, route: Route, error: Error) => void
  /** Has a person asked where that is needed; undefined where it is not. */
  readonly approval: (subject: CallSubject, request: CallRequest, left?: () => AbortSignal) => Promise<CallSubject> | undefined
  /** Told of each call of a plugin that was not granted what it takes. */
  readonly notPermitted: (caller: CallingPlugin, route: Route, error: Error) => void
  /** Told of each call that a generation, or its group, had no room for. */
  readonly full: (generation: Generation, taken: 'full' | 'group-full', error: Error) => void
}

/**
 * The one way into a plugin: permission of the caller, schema of the input, approval of what is critical, deadline, slots, the call itself, schema of the output, attribution,
 * counters. Everything that calls a plugin — host, hooks, other plugins — comes through here.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  /** Calls what answers once. */
  call(lane: Lane, subject: CallSubjectRequest, request: CallRequest, perform: Perform = callMethod): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const how = { perform, settlers: { resolve, reject } }
      const checked = this.#subject(lane, subject, request)
      const waiting = this.#parts.approval(checked, request)
      if (waiting === undefined) this.#begin(new UnaryCall(checked, request, this.#parts, how), lane)
      else waiting.then((approved) => this.#begin(new UnaryCall(approved, request, this.#parts, how), lane)).catch(reject)
    })
  }

  /** Calls what answers many; nothing happens before the first item is asked for. */
  stream(lane: Lane, subject: CallSubjectRequest, request: CallRequest): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => this.#iterate(lane, subject, request) }
  }

  #iterate(lane: Lane, subject: CallSubjectRequest, request: CallRequest): AsyncIterator<unknown, undefined> {
    let call: StreamCall | undefined
    let waiting: Promise<StreamCall> | undefined
    let leaving: AbortController | undefined
    let stopped = false
    const left = (): AbortSignal => (leaving ??= new AbortController()).signal
    const begin = (checked: CallSubject): StreamCall => {
      if (stopped) throw new DOMException('the consumer has left', 'AbortError')
      call = new StreamCall(checked, request, this.#parts)
      this.#begin(call, lane)
      return call
    }
    return {
      next: async () => {
        if (stopped) return { done: true, value: undefined }
        if (call === undefined && waiting === undefined) {
          const checked = this.#subject(lane, subject, request)
          waiting = this.#parts.approval(checked, request, left)?.then(begin)
          if (waiting === undefined) begin(checked)
          // an error is told once; after it the stream is over
          else waiting.catch(() => void (stopped = true))
        }
        return (call ?? (await waiting))?.pull() ?? { done: true, value: undefined }
      },
      return: async () => {
        stopped = true
        leaving?.abort(new DOMException('the consumer has left', 'AbortError'))
        return call?.stop(this.#parts.stopMs) ?? { done: true, value: undefined }
      },
    }
  }

  #subject(lane: Lane, { route, target, value }: CallSubjectRequest, request: CallRequest): CallSubject {
    if (request.signal?.aborted === true) throw abortError(request.signal)
    const { caller } = request
    if (route.permission !== undefined && caller !== undefined) {
      if (!caller.may.includes(route.permission)) {
        const error = notPermitted(caller, route, route.permission)
        this.#parts.notPermitted(caller, route, error)
        throw error
      }
      caller.uses.host(route.permission)
    }
    const checked = route.input(value)
    if (checked.issues !== undefined) throw inputInvalid(route, checked.issues)
    const plugin = lane.plugin()
    return { plugin, route, target, input: checked.value, timeoutMs: this.#parts.limitsOf(plugin).timeoutMs }
  }

  #begin(call: ActiveCall, lane: Lane): void {
    const refusal = call.plugin.breakers?.refusal(call)
    if (refusal !== undefined) return this.#refuse(call, refusal)
    try {
      const generation = lane.generation(call.plugin)
      if (generation instanceof Promise) {
        call.waitedForStart = true
        generation.then(
          // retired while its first callers were still on their way: they go where everybody goes now
          (started) => (started.retiredAtMs === undefined ? this.#enter(call, started) : this.#begin(call, lane)),
          (error: Error) => this.#refuse(call, error),
        )
      } else {
        this.#enter(call, generation)
      }
    } catch (error) {
      this.#refuse(call, error as Error)
    }
  }

  #enter(call: ActiveCall, generation: Generation): void {
    if (call.settled) return
    const { route, target, plugin } = call
    if (generation.ended !== undefined) {
      this.#refuse(call, generation.ended)
    } else if (route.optional && target.instance === undefined && !generation.supplies(route.point, target.name, route.method)) {
      const parameters = { plugin: plugin.id, point: route.point, method: route.method, name: target.name }
      this.#refuse(call, kernelErrors.error('CALL_METHOD_MISSING', parameters, { plugin: plugin.id, point: route.point }))
    } else {
      const taken = generation.take(call)
      if (taken === 'taken') {
        if (route.fills !== undefined) generation.uses.host(route.fills)
        return
      }
      const error = tooMany(generation, route, taken)
      this.#parts.full(generation, taken, error)
      this.#refuse(call, error)
    }
  }

  #refuse(call: ActiveCall, error: Error): void {
    if (call.settled) return
    this.#parts.refused(call.plugin, call.route, error)
    call.abort(error)
  }
}

function tooMany({ plugin, limits, group }: Generation, route: Route, taken: 'full' | 'group-full'): Error {
  const fields = { plugin: plugin.id, point: route.point }
  if (taken === 'group-full' && group !== undefined) {
    const parameters = { name: group.name, resource: 'concurrency', used: group.calls, most: group.most, amount: 1 }
    return kernelErrors.error('NAMESPACE_LIMIT', parameters, { ...fields, details: { namespace: group.name } })
  }
  const { concurrency, queue } = limits
  return kernelErrors.error('CALL_QUEUE_FULL', { plugin: plugin.id, concurrency, queue }, fields)
}

/** Which route, which function, with what. */
export interface CallSubjectRequest {
  readonly route: Route
  readonly target: Target
  readonly value: unknown
}

const callMethod: Perform = { run: (generation, target, input, context) => generation.instance.call(target, input, context) }
