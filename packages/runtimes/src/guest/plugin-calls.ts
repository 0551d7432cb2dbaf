import type { CallContext, Invoker, OpenedInstance, Target } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import { suppliedMethods, type ContributionTable, type PluginObject, type Registered } from './contribution-table.ts'
import { PluginCall, type CallLink } from './plugin-call.ts'
import { pluginError } from './plugin-error.ts'

/** Dispatches calls to what a plugin registered and to the provider instances opened of it. */
export class PluginCalls implements Invoker {
  readonly #plugin: string
  readonly #table: ContributionTable
  readonly #link: CallLink
  readonly #instances = new Map<number, PluginObject>()
  #lastInstance = 0

  constructor(plugin: string, table: ContributionTable, link: CallLink) {
    this.#plugin = plugin
    this.#table = table
    this.#link = link
  }

  /** Errors: what the plugin threw, as {@link pluginError} makes it; `RUNTIME_TARGET_UNKNOWN`. */
  call(target: Target, value: unknown, context: CallContext): Promise<unknown> {
    const call = new PluginCall(target, context, this.#link)
    const failed = (error: unknown): Promise<never> => {
      call.end()
      return Promise.reject(this.#thrown(target, error))
    }
    let answer: unknown
    try {
      answer = this.#invoke(target, value, call)
    } catch (error) {
      return failed(error)
    }
    if (!isThenable(answer)) {
      call.end()
      return Promise.resolve(answer)
    }
    return Promise.resolve(answer).then((settled) => {
      call.end()
      return settled
    }, failed)
  }

  async *stream(target: Target, value: unknown, context: CallContext): AsyncGenerator {
    const call = new PluginCall(target, context, this.#link)
    try {
      const items = this.#invoke(target, value, call)
      if (!isIterable(items)) throw this.#invalid(target, items, 'an async iterable')
      yield* items
    } catch (error) {
      throw this.#thrown(target, error)
    } finally {
      call.leave()
    }
  }

  async open(target: Target, options: unknown, context: CallContext): Promise<OpenedInstance> {
    const registered = this.#table.find(target.point, target.name)
    if (registered?.kind !== 'opened') throw this.#unknown(target)
    const call = new PluginCall(target, context, this.#link)
    try {
      const opened = await registered.open(options, call)
      if (typeof opened !== 'object' || opened === null) throw this.#invalid(target, opened, 'an object')
      this.#lastInstance += 1
      this.#instances.set(this.#lastInstance, opened as PluginObject)
      return { instance: this.#lastInstance, methods: suppliedMethods(opened as PluginObject, registered.methods) }
    } catch (error) {
      throw this.#thrown(target, error)
    } finally {
      call.end()
    }
  }

  /** Closing what is closed already does nothing. */
  async close(target: Target): Promise<void> {
    const { instance } = target
    const opened = instance === undefined ? undefined : this.#instances.get(instance)
    if (instance === undefined || opened === undefined) return
    this.#instances.delete(instance)
    try {
      if (typeof opened['close'] === 'function') await (opened['close'] as () => unknown).call(opened)
    } catch (error) {
      throw this.#thrown(target, error)
    }
  }

  /** What closes the instances still open, first opened first; empties the list. */
  takeOpenInstances(): readonly (() => unknown)[] {
    const opened = [...this.#instances.values()]
    this.#instances.clear()
    return opened.flatMap((object) => {
      const close = object['close']
      return typeof close === 'function' ? [(): unknown => close.call(object)] : []
    })
  }

  #invoke(target: Target, value: unknown, call: PluginCall): unknown {
    const { point, name, method, instance } = target
    const registered = instance === undefined ? this.#table.find(point, name) : undefined
    if (registered?.kind === 'hook') return registered.handle(value, call)
    const object = instance === undefined ? methodsOf(registered) : this.#instances.get(instance)
    const found = object?.[method]
    if (typeof found !== 'function') throw this.#unknown(target)
    return found.call(object, value, call)
  }

  /** Stacks do not cross; the plugin's log keeps those of errors that nobody gave a code. */
  #thrown(target: Target, error: unknown): unknown {
    if (isAbort(error)) return error
    const known = pluginError(error)
    if (known !== error && error instanceof Error && known.code === 'INTERNAL') {
      const { point, method } = target
      this.#link.host.log({ level: 'debug', message: error.stack ?? error.message, fields: { point, method } })
    }
    return known
  }

  #unknown(target: Target): Error {
    const plugin = this.#plugin
    return runtimeErrors.error('RUNTIME_TARGET_UNKNOWN', { plugin, target: words(target) }, { plugin, point: target.point })
  }

  #invalid(target: Target, found: unknown, expected: string): Error {
    const plugin = this.#plugin
    const parameters = { plugin, target: words(target), found: found === null ? 'null' : typeof found, expected }
    return runtimeErrors.error('RUNTIME_ANSWER_INVALID', parameters, { plugin, point: target.point })
  }
}

function methodsOf(registered: Registered | undefined): PluginObject | undefined {
  return registered?.kind === 'provider' ? registered.methods : undefined
}

/** What a signal is aborted with keeps its kind. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}

function words(target: Target): string {
  const instance = target.instance === undefined ? '' : ` instance ${target.instance}`
  return `${target.point} "${target.name}" ${target.method}${instance}`
}
