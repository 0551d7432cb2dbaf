import type { HostLog } from './host-log.ts'

/** Writes Node's own warnings as lines of the log instead of raw text; that a feature is experimental is no news. */
export function logWarnings(log: HostLog): void {
  process.removeAllListeners('warning')
  process.on('warning', ({ name, message }) => {
    log[name === 'ExperimentalWarning' ? 'debug' : 'warn'](message, { warning: name })
  })
}
