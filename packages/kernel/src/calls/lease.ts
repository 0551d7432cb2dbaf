import type { ProviderPoint } from '@backplane/sdk'
import type { CallRequest } from './active-call.ts'
import { boundedWait } from './bounded-wait.ts'
import { handleOf } from './client.ts'
import type { Core } from '../core.ts'
import type { Generation } from '../plugins/generation.ts'
import type { Lease } from '../kernel.ts'
import { hostLane } from './named-lane.ts'
import { pinnedLane } from './open-instance.ts'

/** Holds the generation that serves a provider now. Waiting for it to start ends with the caller's signal or deadline. */
export async function takeLease<P extends ProviderPoint>(
  core: Core,
  point: P,
  name: string,
  request: CallRequest,
): Promise<Lease<P>> {
  const table = core.points.table(point.id, 'provider')
  const lane = hostLane(core, table, name)
  const { signal, deadlineMs: ms } = request
  const error = (): Error => new DOMException(`the plugin did not start within ${ms} ms`, 'TimeoutError')
  const limits = { signal, deadline: ms === undefined ? undefined : { clock: core.clock, ms, error } }
  let generation: Generation
  do generation = await boundedWait(Promise.resolve(lane.generation(lane.plugin())), limits)
  while (generation.retiredAtMs !== undefined)
  generation.leases += 1
  let isHeld = true
  return {
    plugin: generation.plugin.id,
    version: generation.candidate.version,
    generation: generation.number,
    exchangeDirectory: (generation.instance.directories ?? generation.directories).exchange,
    handle: handleOf<P>(core, { table, name, lane: pinnedLane(generation) }),
    signal: generation.signal,
    [Symbol.asyncDispose]: async () => {
      if (!isHeld) return
      isHeld = false
      generation.leases -= 1
      generation.changed?.()
    },
  }
}
