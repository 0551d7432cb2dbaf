import { workerData, type MessagePort } from 'node:worker_threads'
import { portChannel } from '@backplane/rpc'
import { provideGuestModules, type GuestModules } from '../guest/guest-modules.ts'
import { serveGuest } from '../session-link/guest-session.ts'
import { rehearse } from '../session-link/rehearse.ts'

/** What a worker is told when it is made. */
export interface WorkerBoot extends GuestModules {
  readonly port: MessagePort
}

const boot = workerData as WorkerBoot
const exit = process.exit.bind(process)
const session = serveGuest({ channel: portChannel(boot.port), beforeLoad: (start) => start })
void session.ended.then(() => exit(0))
provideGuestModules(boot)
if (boot.preload) void rehearse()
