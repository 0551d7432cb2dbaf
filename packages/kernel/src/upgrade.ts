import type { ActiveCall } from './calls/active-call.ts'
import type { Core } from './core.ts'
import { kernelErrors } from './errors.ts'
import type { Generation } from './plugins/generation.ts'
import { stop } from './stages/stop.ts'

/**
 * Takes a generation out of service: no new work reaches it by name; calls, opened instances and leases it has may end
 * on it. When nothing is left — or the drain time is over, for a generation under lease the lease time — what remains is
 * aborted with the reason and the generation is stopped; one that is to be kept warm and has nothing left is stopped only
 * when that is over. Settles when nothing of it runs any more, or it was taken back into service; never rejects.
 */
export function retire(core: Core, generation: Generation, reason: string): Promise<void> {
  generation.gone ??= drainAndStop(core, generation, reason)
  return generation.gone
}

/**
 * Takes a retired generation back into service, with whatever work it still has. Answers false when it has ended.
 */
export function takeBack(generation: Generation): boolean {
  if (generation.ended !== undefined) return false
  generation.retirement = undefined
  generation.retiredAtMs = undefined
  generation.gone = undefined
  removeFromDraining(generation)
  generation.warm?.resolve()
  generation.warm = undefined
  generation.changed?.()
  return true
}

async function drainAndStop(core: Core, generation: Generation, reason: string): Promise<void> {
  const { plugin } = generation
  const sinceMs = core.clock.now()
  const retirement = Symbol(reason)
  generation.retirement = retirement
  generation.retiredAtMs = sinceMs
  plugin.draining = [...plugin.draining, generation]
  await drained(core, generation)
  if (generation.retirement !== retirement) return
  const { calls, opened, leases, warm, number } = generation
  const staysWarm = warm !== undefined && calls + opened + leases === 0 && generation.ended === undefined
  const end = (): void =>
    generation.end(
      kernelErrors.error('GENERATION_ENDED', { plugin: plugin.id, generation: number, reason }, { plugin: plugin.id }),
    )
  if (!staysWarm) end()
  const tookMs = core.clock.now() - sinceMs
  const aborted = core.inFlight.abort(generation, (call) => drainedCall(call, reason, tookMs))
  core.events.record({ type: 'plugin.drained', plugin: plugin.id, generation: number, aborted, tookMs })
  if (staysWarm) {
    removeFromDraining(generation)
    await warm.promise
    if (generation.retirement !== retirement) return
    end()
  }
  const stopped = await stop(core, generation)
  removeFromDraining(generation)
  if (!stopped.ok) {
    core.log.write({ level: 'error', message: stopped.failure.message, plugin: plugin.id, generation: number })
  }
}

function removeFromDraining(generation: Generation): void {
  const { plugin } = generation
  plugin.draining = plugin.draining.filter((other) => other !== generation)
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
      const isOver = generation.ended !== undefined || generation.retiredAtMs === undefined
      if ((calls > 0 || opened > 0 || leases > 0) && leftMs > 0 && !isOver) {
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
