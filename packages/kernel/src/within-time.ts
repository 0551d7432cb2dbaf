import { type Context, createContext, Script } from 'node:vm'

const idle = (): unknown => undefined
const place = { work: idle }
let timed: { readonly call: Script; readonly context: Context } | undefined

/**
 * Runs work that nobody can interrupt and strangers decide the length of, such as their regular expressions, on the host's own event
 * loop. Answers `late()` when it was ended after `limitMs`. The context is no wall around it: it is what has a timeout.
 */
export function withinTime<T>(limitMs: number, work: () => T, late: () => T): T {
  timed ??= { call: new Script('work()'), context: createContext(place) }
  place.work = work
  try {
    return timed.call.runInContext(timed.context, { timeout: limitMs }) as T
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return late()
    throw error
  } finally {
    place.work = idle
  }
}
