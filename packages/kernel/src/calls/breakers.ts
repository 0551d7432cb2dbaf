import type { PlatformError } from '@backplane/sdk'
import type { ActiveCall } from './active-call.ts'
import { Breaker, type BreakerChange } from './breaker.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { BreakerRecord } from '../record.ts'
import { asError, asPlatformError } from './thrown.ts'

/** The breakers of one plugin, one for each provider or handler of it that failed not long ago. Made at the first failure. */
export class Breakers {
  readonly #core: Core
  readonly #byTarget = new Map<string, Breaker>()

  constructor(core: Core) {
    this.#core = core
  }

  /** Why a call may not go through; undefined when it may. Whatever comes of one that may has to be told. */
  refusal(call: ActiveCall): PlatformError | undefined {
    const breaker = this.#byTarget.get(keyOf(call))
    if (breaker === undefined || breaker.admits(this.#core.clock.now(), call)) return undefined
    const { plugin, target } = call
    const { failures, retryAtMs } = breaker
    const parameters = {
      plugin: plugin.id,
      point: target.point,
      name: target.name,
      failures,
      again: new Date(retryAtMs).toISOString(),
    }
    return kernelErrors.error('CALL_BREAKER_OPEN', parameters, {
      plugin: plugin.id,
      point: target.point,
      details: { name: target.name, failures, retryAtMs },
    })
  }

  succeeded(call: ActiveCall): void {
    const key = keyOf(call)
    const breaker = this.#byTarget.get(key)
    if (breaker === undefined) return
    this.#tell(call, breaker, breaker.succeeded())
    if (breaker.isClean) this.#byTarget.delete(key)
    if (this.#byTarget.size === 0) call.plugin.breakers = undefined
  }

  failed(call: ActiveCall, error: Error): void {
    const key = keyOf(call)
    const breaker = this.#byTarget.get(key)
    if (!isFault(call, error)) return breaker?.undecided(call)
    const counting = breaker ?? new Breaker(this.#core.supervisor.settings)
    this.#byTarget.set(key, counting)
    this.#tell(call, counting, counting.failed(this.#core.clock.now()))
  }

  undecided(call: ActiveCall): void {
    this.#byTarget.get(keyOf(call))?.undecided(call)
  }

  record(): readonly BreakerRecord[] {
    return [...this.#byTarget].map(([key, { state, failures, retryAtMs }]) => {
      const [point = '', name = ''] = key.split(' ')
      return state === 'closed' ? { point, name, state, failures } : { point, name, state, failures, retryAtMs }
    })
  }

  #tell({ plugin, target }: ActiveCall, { failures, retryAtMs }: Breaker, to: BreakerChange): void {
    if (to === undefined) return
    const { point, name } = target
    const event = { type: 'breaker.changed', plugin: plugin.id, point, name, to, failures } as const
    this.#core.events.record(to === 'open' ? { ...event, retryAtMs } : event)
    const what =
      to === 'open' ? `is not asked until ${new Date(retryAtMs).toISOString()}: ${failures} failures in a row` : 'is asked again'
    this.#core.log.write({ level: to === 'open' ? 'error' : 'info', message: `${point} "${name}" ${what}`, plugin: plugin.id })
  }
}

/**
 * Told of each call that ended badly: the first failure of a plugin makes its breakers. What another generation than the one
 * that serves did says nothing about that one.
 */
export function noteFailed(core: Core, call: ActiveCall, error: Error): void {
  const { plugin, generation } = call
  if (generation !== undefined && generation !== plugin.serving) return plugin.breakers?.undecided(call)
  if (plugin.breakers === undefined && !isFault(call, error)) return
  plugin.breakers ??= new Breakers(core)
  plugin.breakers.failed(call, error)
}

/**
 * Node's own codes that say that something is not well: the other side, the machine, the code itself. A file that is not
 * there, or not to be read, is an answer.
 */
const notWell = /^(?:ECONN\w+|EHOST\w+|ENET\w+|EAI_\w+|ETIMEDOUT|EPIPE|EMFILE|ENFILE|ENOMEM|ENOSPC|EIO|ERR_\w+)$/

/**
 * Whether an error says that the plugin is not well. An error with a code of its own is an answer, unless it says that
 * trying later may help; so is a deadline that was the caller's.
 */
function isFault(call: ActiveCall, error: Error): boolean {
  const { code, details, cause } = error as PlatformError
  switch (code) {
    case 'PLUGIN_EXITED':
    case 'CALL_OUTPUT_INVALID':
      return true
    case 'CALL_DEADLINE':
      return !call.isCallersLimit && call.generation !== undefined
    case 'CALL_FAILED': {
      const pluginCode = details?.['pluginCode']
      return (
        pluginCode === 'INTERNAL' ||
        (typeof pluginCode === 'string' && notWell.test(pluginCode)) ||
        asPlatformError(asError(cause)).retryable
      )
    }
    default:
      return false
  }
}

function keyOf({ target }: ActiveCall): string {
  return `${target.point} ${target.name}`
}
