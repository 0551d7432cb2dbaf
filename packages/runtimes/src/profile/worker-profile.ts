import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import type { ProfileKind, ProfileOptions } from '@backplane/kernel'
import { noProfiler, profileFailed } from './profile-failed.ts'

/** Profiles a worker from its host's side, so that one whose event loop stands still is profiled too. */
export async function* workerProfile(worker: Worker, kind: ProfileKind, options: ProfileOptions): AsyncGenerator<Uint8Array> {
  const heard = new AbortController()
  // Of a worker that ends meanwhile Node would never answer.
  const ended = once(worker, 'exit', { signal: heard.signal }).then(() => {
    throw profileFailed('the plugin', 'it ended meanwhile')
  })
  ended.catch(() => undefined)
  try {
    if (worker.threadId === -1) throw profileFailed('the plugin', 'it has ended')
    if (kind === 'heap') yield* await Promise.race([worker.getHeapSnapshot(), ended])
    else {
      const signal = AbortSignal.any([options.signal, heard.signal])
      yield Buffer.from(await Promise.race([cpuProfile(worker, { ...options, signal }), ended]))
    }
  } finally {
    heard.abort()
  }
}

async function cpuProfile(worker: Worker, { durationMs, signal }: ProfileOptions): Promise<string> {
  // On Node before 24.12 there is no such method.
  const start: Worker['startCpuProfile'] | undefined = Reflect.get(worker, 'startCpuProfile')
  if (start === undefined) throw profileFailed('the plugin', noProfiler)
  const handle = await start.call(worker)
  try {
    await wait(durationMs, undefined, { signal })
  } catch (error) {
    await handle.stop().catch(() => undefined)
    throw error
  }
  return handle.stop()
}
