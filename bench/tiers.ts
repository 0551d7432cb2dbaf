import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel, Worker } from 'node:worker_threads'
import { confined, contained, trusted } from '@backplane/runtimes'
import { atLeast, atMost, interleaved, latencyUs, median, print, throughput, type Contestant } from './rpc/contest.ts'
import { rawBatchedPort } from './rpc/raw-port.ts'
import { rawBatchedSocket } from './rpc/raw-socket.ts'
import { bareNodeMs, bareWorkerMs, contestant, firstAnswerMs, place, sandboxed, start } from './tiers/starting.ts'

/** Starting a plugin and calling it, per tier, against what the machine does without any of it, in one run. */

const rounds = Number(process.env['ROUNDS'] ?? 15)
/** In which a guest made ahead is certainly running, ms. */
const bootedMs = 200
await using directories = await place()
await using inProcess = trusted({ modules: { '@backplane/sdk': import.meta.resolve('@backplane/sdk') } })
await using thread = contained()
await using threadFromPool = contained({ pool: { size: 2 } })
await using child = confined()
await using childFromPool = confined({ pool: { size: 2 } })
await Promise.all([thread, threadFromPool, child, childFromPool].map((runtime) => runtime.warm()))
await sleep(bootedMs)

const starts: Readonly<Record<string, () => Promise<number>>> = {
  'node -e 0': bareNodeMs,
  'a bare worker': bareWorkerMs,
  trusted: () => firstAnswerMs(inProcess, directories),
  contained: () => firstAnswerMs(thread, directories),
  'contained, from the pool': () => fromPoolMs(threadFromPool),
  confined: () => firstAnswerMs(child, directories),
  'confined, in a sandbox': () => firstAnswerMs(child, directories, sandboxed),
  'confined, from the pool': () => fromPoolMs(childFromPool),
}

/** Waits until the pool is full again and what fills it has started: whoever is measured next must not pay for that. */
async function fromPoolMs(pool: typeof thread): Promise<number> {
  const took = await firstAnswerMs(pool, directories)
  await pool.warm()
  await sleep(bootedMs)
  return took
}

const samples = new Map(Object.keys(starts).map((name) => [name, [] as number[]]))
for (let round = 0; round <= rounds; round++) {
  for (const [name, measure] of Object.entries(starts).toSorted(() => Math.random() - 0.5)) {
    const took = await measure()
    // The first of each warms the file system's cache.
    if (round > 0) samples.get(name)?.push(took)
  }
}
const first = new Map([...samples].map(([name, values]) => [name, median(values)]))

const worker = new Worker(new URL('./rpc/worker.ts', import.meta.url))
const { port1, port2 } = new MessageChannel()
worker.postMessage({ name: 'rawBatched', port: port2 }, [port2])
const script = new URL('./rpc/child.ts', import.meta.url).pathname
const raw = spawn(process.execPath, ['--conditions=@backplane/source', script, 'rawBatched'], {
  stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
})
const direct: Contestant = { name: 'a direct async call', call: async (value) => value, close: () => undefined }
const tiers = {
  trusted: contestant('trusted', await start(inProcess, directories)),
  contained: contestant('contained', await start(thread, directories)),
  port: rawBatchedPort(port1),
  confined: contestant('confined', await start(child, directories)),
  sandboxed: contestant('confined, in a sandbox', await start(child, directories, sandboxed)),
  socket: rawBatchedSocket(raw.stdio[3] as Socket),
}
const all = [direct, ...Object.values(tiers)]
for (const one of all) await throughput(one, 256, 20_000)
const many = await interleaved(all, 5, (one) => throughput(one, 256, 40_000))
const single = await interleaved(all, 5, (one) => latencyUs(one, 2_000))

const of = (rows: ReadonlyMap<string, number>, name: string): number => rows.get(name) ?? Number.NaN
const overRaw = (rows: ReadonlyMap<string, number>, tier: Contestant, floor: Contestant): number =>
  of(rows, tier.name) / of(rows, floor.name)
print(
  'Starting and calling a plugin, per tier',
  { 'ms to the first answer': first, 'calls/s, 256 in flight': many, 'us, one call, p50': single },
  [
    atMost('first call: confined / node -e 0', of(first, 'confined') / of(first, 'node -e 0'), 1.5),
    atMost('first call: in a sandbox / confined', of(first, 'confined, in a sandbox') / of(first, 'confined'), 1.3),
    atMost('first call: confined from the pool, ms', of(first, 'confined, from the pool'), 10),
    atMost('first call: contained / a bare worker', of(first, 'contained') / of(first, 'a bare worker'), 2),
    atMost('one call: trusted, us beyond a direct call', of(single, 'trusted') - of(single, direct.name), 2),
    atLeast('256 in flight: contained / raw batched port', overRaw(many, tiers.contained, tiers.port), 0.6),
    atLeast('256 in flight: confined / raw batched socket', overRaw(many, tiers.confined, tiers.socket), 0.7),
    atLeast('256 in flight: in a sandbox / confined', overRaw(many, tiers.sandboxed, tiers.confined), 0.9),
    atMost('one call: contained / raw batched port', overRaw(single, tiers.contained, tiers.port), 1.5),
    atMost('one call: confined / raw batched socket', overRaw(single, tiers.confined, tiers.socket), 1.5),
  ],
)
for (const one of all) await one.close()
raw.kill()
await worker.terminate()
