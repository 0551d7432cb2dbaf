import type { HostLink, Instance, Runtime, StartRequest } from '@backplane/kernel'
import { runtimeErrors } from './errors.ts'
import { readyDeadline } from './ready-deadline.ts'

/** What a tier does by itself. */
export interface TierParts extends AsyncDisposable {
  readonly tier: Runtime['tier']
  readonly enforces: Runtime['enforces']
  readonly cannotAudit?: NonNullable<Runtime['cannotAudit']>
  /** Starts one generation. `signal` is aborted with the error to throw; on error nothing may be left running. */
  readonly launch: (request: StartRequest, host: HostLink, signal: AbortSignal) => Promise<Instance>
}

/**
 * A runtime that keeps track of what it started: every start has its deadline, and disposing ends what runs, gives up
 * what starts, then disposes the tier itself.
 */
export function trackedRuntime(parts: TierParts): Runtime {
  const { tier, cannotAudit } = parts
  const disposing = new AbortController()
  const running = new Set<Instance>()
  const starting = new Set<Promise<Instance>>()

  const start: Runtime['start'] = async (request, host, signal) => {
    using deadline = readyDeadline(request, AbortSignal.any([disposing.signal, signal]))
    deadline.signal.throwIfAborted()
    const launched = parts.launch(request, host, deadline.signal)
    starting.add(launched)
    try {
      const instance = await launched
      running.add(instance)
      void instance.exited.then(() => running.delete(instance))
      return instance
    } finally {
      starting.delete(launched)
    }
  }

  return {
    tier,
    enforces: parts.enforces,
    ...(cannotAudit === undefined ? {} : { cannotAudit }),
    start,
    [Symbol.asyncDispose]: async () => {
      disposing.abort(runtimeErrors.error('RUNTIME_DISPOSED', { tier }))
      await Promise.allSettled(starting)
      await Promise.all([...running].map((instance) => instance.stop(0)))
      await parts[Symbol.asyncDispose]()
    },
  }
}
