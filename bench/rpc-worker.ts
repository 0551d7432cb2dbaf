import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import { createSession, portChannel } from '@backplane/rpc'
import { createBirpc } from 'birpc'
import { newMessagePortRpcSession } from 'capnweb'
import { wrap } from 'comlink'
import { atLeast, atMost, interleaved, latencyUs, print, sameMegabyte, throughput, type Contestant } from './rpc/contest.ts'
import { rawBatchedPort, rawJsonPort, rawPort } from './rpc/raw-port.ts'

/** Calls between this thread and a worker: the session against the bare port and other libraries, in one run. */

const worker = new Worker(new URL('./rpc/worker.ts', import.meta.url))

function open(name: string): MessagePort {
  const { port1, port2 } = new MessageChannel()
  worker.postMessage({ name, port: port2 }, [port2])
  return port1
}

interface Echo {
  readonly echo: (value: unknown) => Promise<unknown>
}

const session = createSession(portChannel(open('backplane')), {
  handler: { call: () => undefined, stream: async function* () {} },
})
const backplane: Contestant = {
  name: 'backplane session',
  call: (value) => session.call('echo', value),
  close: () => session[Symbol.asyncDispose](),
}

/** As it comes, like the others; and without its timer for each call, because nobody here sets a deadline. */
function birpc(name: string, options: { readonly timeout?: number } = {}): Contestant {
  const port = open('birpc')
  const remote = createBirpc<Echo>(
    {},
    { ...options, post: (data) => port.postMessage(data), on: (take) => port.on('message', take) },
  )
  return { name, call: (value) => remote.echo(value), close: () => port.close() }
}

function comlink(): Contestant {
  const port = open('comlink')
  const remote = wrap<Echo>(port)
  return { name: 'comlink', call: (value) => remote.echo(value), close: () => port.close() }
}

function capnweb(): Contestant {
  const port = open('capnweb')
  const remote = newMessagePortRpcSession<Echo>(port)
  return { name: 'capnweb', call: async (value) => await remote.echo(value), close: () => port.close() }
}

const batched = rawBatchedPort(open('rawBatched'))
const json = rawJsonPort(open('rawJson'))
const bare = rawPort(open('raw'))
const all = [backplane, batched, json, birpc('birpc'), birpc('birpc, without its timers', { timeout: -1 }), comlink(), capnweb()]

const rounds = Number(process.env['ROUNDS'] ?? 7)
for (const one of all) await throughput(one, 256, 20_000)
for (const one of [backplane, bare]) await latencyUs(one, 3_000, sameMegabyte)
const many = await interleaved(all, rounds, (one) => throughput(one, 256, 40_000))
const single = await interleaved([backplane, bare, batched], rounds, (one) => latencyUs(one, 2_000))
const bytes = await interleaved([backplane, bare], rounds, (one) => latencyUs(one, 200, sameMegabyte))

const of = (rows: ReadonlyMap<string, number>, one: { readonly name: string }): number => rows.get(one.name) ?? Number.NaN
print(
  'Calls between a thread and its worker',
  { 'calls/s, 256 in flight': many, 'us, one call, p50': single, 'us, 1 MiB there and back, p50': bytes },
  [
    atLeast('256 in flight: session / birpc', of(many, backplane) / of(many, { name: 'birpc' }), 4),
    atLeast('256 in flight: session / comlink', of(many, backplane) / of(many, { name: 'comlink' }), 4),
    atLeast('256 in flight: session / capnweb', of(many, backplane) / of(many, { name: 'capnweb' }), 4),
    atLeast('256 in flight: session / raw batched port', of(many, backplane) / of(many, batched), 0.6),
    atMost('one call: session / raw port', of(single, backplane) / of(single, bare), 1.5),
    atMost('1 MiB: session / raw transfer', of(bytes, backplane) / of(bytes, bare), 2),
  ],
)
for (const one of [...all, bare]) await one.close()
await worker.terminate()
