import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import type { Socket } from 'node:net'
import { createSession, socketChannel, socketPair, type Channel } from '@backplane/rpc'
import { atLeast, atMost, interleaved, latencyUs, print, sameMegabyte, throughput, type Contestant } from './rpc/contest.ts'
import { rawBatchedSocket, rawBytesSocket, rawStreamSocket } from './rpc/raw-socket.ts'

/** Calls between this process and a child: the session against bare sockets and node's own channel, in one run. */

const children: ChildProcess[] = []

function start(kind: string, slot: StdioOptions): ChildProcess {
  const script = new URL('./rpc/child.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=@backplane/source', script, kind], { stdio: slot })
  children.push(child)
  return child
}

function pipe(kind: string): Socket {
  return start(kind, ['ignore', 'inherit', 'inherit', 'pipe']).stdio[3] as Socket
}

interface SessionContestant extends Contestant {
  /** Streams that many megabytes from the child. */
  readonly stream: (count: number) => Promise<void>
}

function session(name: string, channel: Channel): SessionContestant {
  const made = createSession(channel, { handler: { call: () => undefined, stream: async function* () {} } })
  const stream = async (count: number): Promise<void> => {
    for await (const item of made.stream('megabytes', count)) if (!(item instanceof Uint8Array)) throw new TypeError('no bytes')
  }
  return { name, call: (value) => made.call('echo', value), stream, close: () => made[Symbol.asyncDispose]() }
}

function ipc(): Contestant {
  const child = start('ipc', ['ignore', 'inherit', 'inherit', 'ipc'])
  const waiting = new Map<number, (value: unknown) => void>()
  let last = 0
  child.on('message', ({ id, value }: { id: number; value: unknown }) => {
    waiting.get(id)?.(value)
    waiting.delete(id)
  })
  return {
    name: "node's IPC channel, json",
    call: (value) =>
      new Promise((resolve) => {
        waiting.set(++last, resolve)
        child.send({ id: last, value })
      }),
    close: () => child.disconnect(),
  }
}

async function pair(kind: string): Promise<Channel> {
  const { channel, far } = await socketPair()
  start(kind, ['ignore', 'inherit', 'inherit', far])
  far.destroy()
  return channel
}

const backplane = session('backplane session, socket pair', await pair('session'))
const plain = session('backplane session, pipe slot', socketChannel(pipe('session')))
const batched = rawBatchedSocket(pipe('rawBatched'))
const bare = rawBytesSocket(pipe('rawBytes'))
const poured = rawStreamSocket(pipe('rawStream'))
const own = ipc()
const all = [backplane, plain, batched, own]

const rounds = Number(process.env['ROUNDS'] ?? 7)
for (const one of all) await throughput(one, 256, 20_000)
const many = await interleaved(all, rounds, (one) => throughput(one, 256, 40_000))
const single = await interleaved(all, rounds, (one) => latencyUs(one, 2_000))
const bytes = await interleaved([backplane, plain, bare], rounds, (one) => latencyUs(one, 50, sameMegabyte))

const megabytes = 64
const streams: readonly Contestant[] = [
  { ...backplane, call: () => backplane.stream(megabytes) },
  { ...plain, call: () => plain.stream(megabytes) },
  poured,
]
for (const one of streams) await one.call(megabytes)
const streamed = await interleaved(streams, rounds, async (one) => {
  const begin = performance.now()
  await one.call(megabytes)
  return megabytes / ((performance.now() - begin) / 1000)
})

const of = (rows: ReadonlyMap<string, number>, one: Contestant): number => rows.get(one.name) ?? Number.NaN
print(
  'Calls between a process and its child',
  {
    'calls/s, 256 in flight': many,
    'us, one call, p50': single,
    'us, 1 MiB there and back, p50': bytes,
    'MiB/s, a stream of 1 MiB items from the child': streamed,
  },
  [
    atLeast("256 in flight: session / node's IPC", of(many, backplane) / of(many, own), 1),
    atLeast('256 in flight: session / raw batched socket', of(many, backplane) / of(many, batched), 0.7),
    atMost('one call: session / raw batched socket', of(single, backplane) / of(single, batched), 1.5),
    atLeast('stream of 1 MiB items: session / raw socket', of(streamed, backplane) / of(streamed, poured), 0.7),
  ],
)
for (const one of [...all, bare, poured]) await one.close()
for (const child of children) if (child.exitCode === null) child.kill()
