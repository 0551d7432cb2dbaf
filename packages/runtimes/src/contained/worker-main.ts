import { workerData, type MessagePort } from 'node:worker_threads'
import { portChannel } from '@backplane/rpc'
import { serveGuest } from '../session-link/guest-session.ts'

/** What a worker is told when it is made. */
export interface WorkerBoot {
  readonly port: MessagePort
  /** Modules loaded ahead, by URL; one that fails is left to the plugin that wants it. */
  readonly preload: readonly string[]
}

const { port, preload } = workerData as WorkerBoot
const exit = process.exit.bind(process)
const session = serveGuest({ channel: portChannel(port), beforeLoad: () => undefined })
void session.ended.then(() => exit(0))
void Promise.allSettled(preload.map((url) => import(url)))
