import type { Grants, Enforcement, Instance, Limits, Runtime, StartRequest } from '@backplane/kernel'
import type { Tier } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'
import { readyDeadline } from '../ready-deadline.ts'
import { startOverSession, type Placement } from './start-over-session.ts'

/** What a tier behind a session brings of its own. */
export interface SessionTier extends AsyncDisposable {
  readonly tier: Tier
  readonly enforces: (grants: Grants, limits: Limits) => readonly Enforcement[]
  /** Makes, or takes from a pool, a body that fits the request. The caller owns the body. */
  readonly place: (request: StartRequest) => Promise<Placement>
}

/** The runtime of a tier whose plugins are reached over sessions. Disposing it ends what still runs, then the tier. */
export function sessionRuntime(own: SessionTier): Runtime {
  const { tier } = own
  const disposing = new AbortController()
  const running = new Set<Instance>()
  const starting = new Set<Promise<Instance>>()

  const start: Runtime['start'] = async (request, host, signal) => {
    if (disposing.signal.aborted) throw disposing.signal.reason
    using deadline = readyDeadline(request, AbortSignal.any([signal, disposing.signal]))
    deadline.signal.throwIfAborted()
    const placement = await own.place(request)
    const work = startOverSession(tier, placement, request, { host, signal: deadline.signal })
    starting.add(work)
    try {
      const instance = await work
      running.add(instance)
      void instance.exited.then(() => running.delete(instance))
      return instance
    } finally {
      starting.delete(work)
    }
  }

  return {
    tier,
    enforces: own.enforces,
    start,
    [Symbol.asyncDispose]: async () => {
      disposing.abort(runtimeErrors.error('RUNTIME_DISPOSED', { tier }))
      await Promise.allSettled(starting)
      await Promise.all([...running].map((instance) => instance.stop(0)))
      await own[Symbol.asyncDispose]()
    },
  }
}
