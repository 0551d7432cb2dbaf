import type { Kernel, KernelEvent } from '@backplane/kernel'
import type { HostLog } from './host-log.ts'

/** Writes what happens to plugins into the daemon's log, and first which of them could not be used at the start. */
export function logKernelEvents(kernel: Kernel, log: HostLog): Disposable {
  for (const { id, version, state, reason } of kernel.report.plugins) {
    if (badStates.has(state)) log.warn('takes no calls; `backplane why` tells what to do', { plugin: id, version, state, reason })
  }
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
  'approval.asked',
])
const badStates: ReadonlySet<string> = new Set(['failed', 'quarantined', 'blocked'])

function levelOf(event: KernelEvent): 'debug' | 'info' | 'warn' {
  if (event.type === 'plugin.changed') return badStates.has(event.to) ? 'warn' : 'info'
  if (event.type === 'plugin.exited') return event.cause.kind === 'stopped' ? 'debug' : 'warn'
  return warnings.has(event.type) ? 'warn' : 'info'
}
