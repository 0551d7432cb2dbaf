import type { Kernel, KernelEvent } from '@backplane/kernel'
import type { HostLog } from './host-log.ts'

/** Writes what happens to plugins into the daemon's log. */
export function logKernelEvents(kernel: Kernel, log: HostLog): Disposable {
  return kernel.events.subscribe(({ event }) => {
    const { type, ...fields } = event
    log[levelOf(event)](type, fields)
  })
}

const warnings: ReadonlySet<KernelEvent['type']> = new Set([
  'plugin.update-failed',
  'plugin.moved-back',
  'plugin.suspected',
  'limit.exceeded',
  'grant.denied',
  'breaker.changed',
  'call.refused',
  'call.fell-back',
])
const badStates = new Set(['failed', 'quarantined', 'blocked'])

function levelOf(event: KernelEvent): 'debug' | 'info' | 'warn' {
  if (event.type === 'plugin.changed') return badStates.has(event.to) ? 'warn' : 'info'
  if (event.type === 'plugin.exited') return event.cause.kind === 'stopped' ? 'debug' : 'warn'
  return warnings.has(event.type) ? 'warn' : 'info'
}
