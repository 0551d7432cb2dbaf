import type { KernelOptions } from '../kernel.ts'
import type { Log } from '../ports.ts'
import type { ActiveCall } from './active-call.ts'
import { messageOf } from './thrown.ts'

/** Makes what tells the host of each call that ended. */
export function tellCalls(onCall: NonNullable<KernelOptions['onCall']>, log: Log): (call: ActiveCall, error?: Error) => void {
  return ({ plugin, target, caller, traceId, startedMs }, error) => {
    const { point, name, method } = target
    const own: unknown = error === undefined ? undefined : Reflect.get(error, 'code')
    const code = typeof own === 'string' ? own : error?.name
    const tookMs = performance.now() - startedMs
    try {
      onCall({
        plugin: plugin.id,
        point,
        name,
        method,
        caller,
        traceId,
        tookMs,
        ...(code === undefined ? {} : { code }),
      })
    } catch (thrown) {
      log.write({ level: 'error', message: `onCall threw: ${messageOf(thrown)}`, plugin: plugin.id })
    }
  }
}
