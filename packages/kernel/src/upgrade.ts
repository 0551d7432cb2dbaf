import type { ActiveCall } from './calls/active-call.ts'
import type { Core } from './core.ts'
import { kernelErrors } from './errors.ts'
import type { Generation } from './plugins/generation.ts'
import { stop } from './stages/stop.ts'

/**
 * Takes a generation out of service: no new work reaches it by name; calls, opened instances and leases it has may end
 * on it. When nothing is left — or the drain time is over, for a generation under lease the lease time — what remains is
 * aborted with the reason and the generation is stopped. Settles when nothing of it runs any more; never rejects.
 */
export function retire(core: Core, generation: Generation, reason: string): Promise<void> {
  generation.gone ??= drainAndStop(core, generation, reason)
  return generation.gone
}

async function drainAndStop(core: Core, generation: Generation, reason: string): Promise<void> {
  const { plugin } = generation
  const sinceMs = core.clock.now()
  generation.retiredAtMs = sinceMs
  plugin.draining = [...plugin.draining, generation]
  await drained(core, generation)
  const tookMs = core.clock.now() - sinceMs
  const parameters = { plugin: plugin.id, generation: generation.number, reason }
  generation.end(kernelErrors.error('GENERATION_ENDED', parameters, { plugin: plugin.id }))
  const aborted = core.inFlight.abort(generation, (call) => drainedCall(call, reason, tookMs))
  core.events.record({ type: 'plugin.drained', plugin: plugin.id, generation: generation.number, aborted, tookMs })
  const stopped = await stop(core, generation)
  plugin.draining = plugin.draining.filter((other) => other !== generation)
  if (!stopped.ok) {
    core.log.write({ level: 'error', message: stopped.failure.message, plugin: plugin.id, generation: generation.number })
  }
}

/** Settles when nothing is left of the generation or its time is over. A stopping host waits for no lease. */
function drained(core: Core, generation: Generation): Promise<void> {
  return new Promise((resolve) => {
    const { times, clock, stopping } = core
    let sinceMs = clock.now()
    let timer: Disposable | undefined
    const look = (): void => {
      timer?.[Symbol.dispose]()
      timer = undefined
      const { calls, opened, leases } = generation
      const limitMs = leases > 0 && !stopping.aborted ? times.leaseMs : times.drainMs
      const leftMs = limitMs - (clock.now() - sinceMs)
      if ((calls > 0 || opened > 0 || leases > 0) && leftMs > 0 && generation.ended === undefined) {
        timer = clock.after(leftMs, look)
        return
      }
      generation.changed = undefined
      stopping.removeEventListener('abort', hurry)
      resolve()
    }
    const hurry = (): void => {
      sinceMs = clock.now()
      look()
    }
    stopping.addEventListener('abort', hurry, { once: true })
    generation.changed = look
    look()
  })
}

function drainedCall(call: ActiveCall, reason: string, waitedMs: number): Error {
  const { plugin, route } = call
  const parameters = { plugin: plugin.id, point: route.point, method: route.method, reason, waitedMs }
  return kernelErrors.error('CALL_DRAINED', parameters, { plugin: plugin.id, point: route.point })
}
