import type { Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { createSession, socketChannel } from '@backplane/rpc'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
import type { GuestRequest } from '../guest/plugin-scope.ts'
import { serveGuest } from './guest-session.ts'
import { targetWords } from './target-words.ts'

const point = defineProvider('backplane.rehearsal', { echo: unary(anything, anything) })
const name = 'it'
const emptyModule: string = 'data:text/javascript,'
const plugin = definePlugin((scope) => scope.provide(point, name, { echo: (value) => value }))

/**
 * Starts, calls and stops a plugin that answers what it is given, in a session of its own: for a guest that is made ahead, so that
 * code which runs for the first time, and is compiled then, keeps nobody waiting. Never rejects; leaves nothing behind.
 */
export async function rehearse(): Promise<void> {
  const [host, guest] = duplexPair()
  const beforeLoad = (request: GuestRequest): GuestRequest => ({ ...request, code: { kind: 'module', module: plugin } })
  const serving = serveGuest({ channel: socketChannel(guest as Socket), beforeLoad })
  const asking = createSession(socketChannel(host as Socket), { handler: { call: nothing, stream: noItems } })
  const target = targetWords('call', { point: point.id, name, method: 'echo' })
  try {
    await import(emptyModule)
    await asking.call('start', request)
    await asking.call(target, { text: 'echo', number: 1, list: [true, null] })
    await asking.call('stop', 0)
  } catch {
    // Whatever it is, the plugin that comes will meet it and say so.
  } finally {
    await asking[Symbol.asyncDispose]()
    await serving[Symbol.asyncDispose]()
  }
}

const request: Omit<GuestRequest, 'code'> = {
  plugin: { id: 'backplane/rehearsal', version: '1.0.0', generation: 0 },
  host: { name: 'backplane', api: '1.0.0' },
  config: {},
  declared: { [point.id]: [name] },
  directories: { code: '/', data: '/', exchange: '/' },
}

function nothing(): undefined {
  return undefined
}

async function* noItems(): AsyncIterable<never> {}
