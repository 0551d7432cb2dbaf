import type { CallContext, HostLink, Target } from '@backplane/kernel'
import type { CallOptions, ProviderHandle, ProviderPoint } from '@backplane/sdk'

/** How one plugin reaches another: what `scope.use` and `scope.emit` need. */
export interface OutwardCalls {
  readonly host: HostLink
  /** The plugin's own id, told to who is called. */
  readonly caller: string
  /** Aborted when the plugin is stopped. */
  readonly stopping: AbortSignal
}

/** A closed object with exactly the point's methods, or with `open` alone; each call goes through the host. */
export function pointClient<P extends ProviderPoint>(point: P, name: string, outward: OutwardCalls): ProviderHandle<P> {
  const client = point.open === undefined ? methodsOf(point, { point: point.id, name }, outward) : opener(point, name, outward)
  return Object.freeze(client) as ProviderHandle<P>
}

/** What goes with a call that a plugin makes. */
export function outwardContext(outward: OutwardCalls, options: CallOptions = {}): CallContext {
  const { signal, deadlineMs, onProgress, traceId } = options
  return {
    signal: signal === undefined ? outward.stopping : AbortSignal.any([signal, outward.stopping]),
    deadlineAtMs: deadlineMs === undefined ? undefined : Date.now() + deadlineMs,
    traceId: traceId ?? crypto.randomUUID().replaceAll('-', ''),
    caller: outward.caller,
    ...(onProgress === undefined ? {} : { onProgress }),
  }
}

type Where = Omit<Target, 'method'>

function methodsOf(point: ProviderPoint, where: Where, outward: OutwardCalls, supplied?: readonly string[]): object {
  const methods = Object.entries(point.methods).map(([method, { kind }]) => {
    const target: Target = { ...where, method }
    const invoke =
      kind === 'stream'
        ? (value: unknown, options?: CallOptions) => outward.host.stream(target, value, outwardContext(outward, options))
        : (value: unknown, options?: CallOptions) => outward.host.call(target, value, outwardContext(outward, options))
    return [method, invoke]
  })
  // Without an opened instance nobody can tell before the call; the host refuses a method that is not there.
  const has = (method: string): boolean => supplied?.includes(method) ?? Object.hasOwn(point.methods, method)
  return { ...Object.fromEntries(methods), has }
}

function opener(point: ProviderPoint, name: string, outward: OutwardCalls): object {
  const target: Target = { point: point.id, name, method: 'open' }
  return {
    open: async (options: unknown, callOptions?: CallOptions): Promise<object> => {
      const opened = await outward.host.open(target, options, outwardContext(outward, callOptions))
      const where: Where = { point: point.id, name, instance: opened.instance }
      return Object.freeze({
        ...methodsOf(point, where, outward, opened.methods),
        [Symbol.asyncDispose]: () => outward.host.close({ ...where, method: 'close' }),
      })
    },
  }
}
