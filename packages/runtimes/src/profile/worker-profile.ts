import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import type { ProfileOptions } from '@backplane/kernel'
import { noProfiler, profileFailed } from './profile-failed.ts'

/**
 * Profiles the processor time of a worker from its host's side, so that one whose event loop stands still is profiled too.
 * Of one that is stuck outside of JavaScript Node answers nothing until it is back, so whoever waits may always give up.
 * Its heap is only taken from inside: a snapshot lies in the worker's memory, and the process that reads or frees it after
 * the worker has ended, by its own doing or not, dies of it (Node 26.10).
 */
export async function* workerProfile(worker: Worker, options: ProfileOptions): AsyncGenerator<Uint8Array> {
  const heard = new AbortController()
  // Of a worker that ends meanwhile Node would never answer.
  const ended = once(worker, 'exit', { signal: heard.signal }).then(() => {
    throw profileFailed('the plugin', 'it ended meanwhile')
  })
  const givenUp = Promise.withResolvers<never>()
  const giveUp = (): void => givenUp.reject(options.signal.reason as Error)
  if (options.signal.aborted) giveUp()
  options.signal.addEventListener('abort', giveUp)
  const over = Promise.race([ended, givenUp.promise])
  over.catch(() => undefined)
  try {
    if (worker.threadId === -1) throw profileFailed('the plugin', 'it has ended')
    yield Buffer.from(await cpuProfile(worker, options, over))
  } finally {
    heard.abort()
    options.signal.removeEventListener('abort', giveUp)
  }
}

async function cpuProfile(worker: Worker, { durationMs }: ProfileOptions, over: Promise<never>): Promise<string> {
  // On Node before 24.12 there is no such method.
  const start: Worker['startCpuProfile'] | undefined = Reflect.get(worker, 'startCpuProfile')
  if (start === undefined) throw profileFailed('the plugin', noProfiler)
  const started = start.call(worker)
  const discard = (): void => void started.then((handle) => handle.stop()).catch(() => undefined)
  const done = new AbortController()
  try {
    const handle = await Promise.race([started, over])
    await Promise.race([wait(durationMs, undefined, { signal: done.signal }), over])
    return await Promise.race([handle.stop(), over])
  } catch (error) {
    discard()
    throw error
  } finally {
    done.abort()
  }
}
