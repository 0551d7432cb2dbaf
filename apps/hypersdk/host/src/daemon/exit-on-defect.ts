import type { HostLog } from './host-log.ts'

/** A defect of the daemon ends it with a message, so that a service manager starts it again; jobs are taken up then. */
export function exitOnDefect(log: HostLog): void {
  process.on('uncaughtException', (error) => {
    log.error('hypervisord has a defect and ends', { error: error.stack ?? String(error) })
    process.exit(70)
  })
}
