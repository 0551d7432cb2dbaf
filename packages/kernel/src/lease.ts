import type { ProviderPoint } from '@backplane/sdk'
import type { CallRequest } from './active-call.ts'
import { abortError } from './active-call.ts'
import { handleOf, pinnedLane } from './client.ts'
import type { Core } from './core.ts'
import type { Generation } from './generation.ts'
import type { Lease } from './kernel.ts'
import { hostLane } from './named-lane.ts'

/** Holds the generation that serves a provider now. Waiting for it to start ends with the caller's signal or deadline. */
export async function takeLease<P extends ProviderPoint>(
  core: Core,
  point: P,
  name: string,
  request: CallRequest,
): Promise<Lease<P>> {
  const table = core.points.table(point.id, 'provider')
  const lane = hostLane(core, table, name)
  let generation: Generation
  do generation = await bounded(core, lane.generation(lane.plugin()), request)
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

function bounded<T>(core: Core, work: T | Promise<T>, { signal, deadlineMs }: CallRequest): T | Promise<T> {
  if (signal?.aborted === true) throw abortError(signal)
  if (!(work instanceof Promise) || (signal === undefined && deadlineMs === undefined)) return work
  return new Promise((resolve, reject) => {
    const cancelled = (): void => {
      if (signal !== undefined) reject(abortError(signal))
    }
    const late = (): void => reject(new DOMException(`the plugin did not start within ${deadlineMs} ms`, 'TimeoutError'))
    const timer = deadlineMs === undefined ? undefined : core.clock.after(deadlineMs, late)
    signal?.addEventListener('abort', cancelled, { once: true })
    work.then(resolve, reject).finally(() => {
      timer?.[Symbol.dispose]()
      signal?.removeEventListener('abort', cancelled)
    })
  })
}
