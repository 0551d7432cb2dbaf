// oxlint-disable unicorn/require-post-message-target-origin -- a worker has no origin
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { HostLink, Instance, Runtime, StartRequest, Target } from '@backplane/kernel'
import { testLimits } from '@backplane/testing'
import { smallValue, type Contestant } from '../rpc/contest.ts'

const plugin = fileURLToPath(new URL('fixtures/echo-plugin', import.meta.url))
const target: Target = { point: 'bench.echo', name: 'echo', method: 'echo' }
const signal = new AbortController().signal
const ignore = (): void => undefined
// As a dispatcher gives it: a signal is made only for who asks.
const cancellation = { aborted: false, reason: undefined, addEventListener: ignore, removeEventListener: ignore }
const context = { signal, cancellation, deadlineAtMs: undefined, traceId: '0'.repeat(32), caller: 'host' }

/** Where the plugin under measure keeps its files. Dispose it to remove them. */
export async function place(): Promise<StartRequest['directories'] & AsyncDisposable> {
  const root = await mkdtemp(join(tmpdir(), 'backplane-bench-'))
  const directories = { code: plugin, data: join(root, 'data'), exchange: join(root, 'exchange') }
  await Promise.all([mkdir(directories.data), mkdir(directories.exchange)])
  return { ...directories, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
}

/** Starts the echo plugin. */
export function start(
  runtime: Runtime,
  { code, data, exchange }: StartRequest['directories'],
  isolation: StartRequest['isolation'] = { floor: 'process', trust: 'first-party' },
): Promise<Instance> {
  const request: StartRequest = {
    plugin: { id: 'bench/echo', version: '1.0.0', generation: 1 },
    host: { name: 'bench', api: '1.0.0' },
    code: { kind: 'files', directory: plugin, main: 'index.js' },
    config: {},
    grants: { fsRead: [], fsWrite: [], exec: [], net: [], host: [] },
    // A processor's time that is held back is a limit at work; what the walls cost is another question.
    limits: { ...testLimits, concurrency: 1024, queue: 1, cpuPercent: 1000 },
    isolation,
    directories: { code, data, exchange },
    declared: { 'bench.echo': ['echo'] },
    readyMs: 60_000,
  }
  return runtime.start(request, { log: () => undefined } as unknown as HostLink, signal)
}

/** The whole sandbox of the operating system, with its narrowest filter. */
export const sandboxed: StartRequest['isolation'] = { floor: 'os', trust: 'community' }

/** A started plugin as one who answers an echo. */
export function contestant(name: string, instance: Instance): Contestant {
  return { name, call: (value) => instance.call(target, value, context), close: () => instance.stop(1_000) }
}

/** Milliseconds from asking for a start to the first answer. */
export async function firstAnswerMs(
  runtime: Runtime,
  directories: StartRequest['directories'],
  isolation?: StartRequest['isolation'],
): Promise<number> {
  const from = performance.now()
  const instance = await start(runtime, directories, isolation)
  await instance.call(target, smallValue(), context)
  const took = performance.now() - from
  await instance.stop(1_000)
  return took
}

/** Milliseconds for a bare node to start and end. */
export async function bareNodeMs(): Promise<number> {
  const from = performance.now()
  await once(spawn(process.execPath, ['-e', '0'], { env: {}, stdio: 'ignore' }), 'exit')
  return performance.now() - from
}

/** Milliseconds for a bare worker to answer a first message. */
export async function bareWorkerMs(): Promise<number> {
  const from = performance.now()
  const text =
    "require('node:worker_threads').parentPort.once('message', (value) => require('node:worker_threads').parentPort.postMessage(value))"
  const worker = new Worker(text, { eval: true, env: {} })
  worker.postMessage(smallValue())
  await once(worker, 'message')
  const took = performance.now() - from
  await worker.terminate()
  return took
}
