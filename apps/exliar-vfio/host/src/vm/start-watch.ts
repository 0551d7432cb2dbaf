import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open } from 'node:fs/promises'
import { processStarted } from '@backplane/storage'
import { exliarErrors } from '../errors.ts'
import type { WatchTask } from './run-watch.ts'
import { watchPlaces, type WatchState } from './watch-state.ts'

/** What a watch writes to its standard output once it hears. */
export const readyLine = 'ready\n'

/** How a watch's process is started. */
export interface WatchLaunch {
  /** Program and arguments; it reads a {@link WatchTask} from its standard input and then calls `runWatch`. */
  readonly command: readonly string[]
  readonly task: WatchTask
  readonly timeoutMs: number
}

/**
 * Starts a watch in a session of its own, so that it outlives the hook, and waits until it is ready. None of the hook's own
 * pipes are handed to it: libvirt waits until the last who holds them has ended. Errors: `VM_WATCH_FAILED`.
 */
export async function startWatch({ command, task, timeoutMs }: WatchLaunch): Promise<NonNullable<WatchState['process']>> {
  const { name, uuid } = task.config
  const places = watchPlaces(task.directory, uuid)
  const [program = '', ...args] = command
  await mkdir(places.directory, { recursive: true, mode: 0o700 })
  const log = await open(places.log, 'w', 0o600)
  try {
    const child = spawn(program, args, { detached: true, cwd: '/', stdio: ['pipe', 'pipe', log.fd] })
    // Read now: one that only tells an end may be over as soon as it is ready.
    const started = child.pid === undefined ? undefined : processStarted(child.pid)
    const failure = await untilReady(child, task, timeoutMs)
    if (failure === undefined && child.pid !== undefined && started !== undefined) return { pid: child.pid, started }
    child.kill('SIGKILL')
    throw exliarErrors.error('VM_WATCH_FAILED', { name, reason: `${failure ?? 'it ended at once'}; see ${places.log}` })
  } finally {
    await log.close()
  }
}

async function untilReady(child: ChildProcess, task: WatchTask, timeoutMs: number): Promise<string | undefined> {
  const { stdin, stdout } = child
  const failed = once(child, 'error').then(([error]) => String(error))
  const silent = once(AbortSignal.timeout(timeoutMs), 'abort').then(() => `it was not ready within ${timeoutMs} ms`)
  const said = (async (): Promise<string | undefined> => {
    let text = ''
    for await (const part of stdout ?? []) {
      text += String(part)
      if (text.startsWith(readyLine)) return undefined
    }
    return 'it ended before it was ready'
  })()
  stdin?.on('error', () => undefined).end(JSON.stringify(task))
  try {
    return await Promise.race([said, failed, silent])
  } finally {
    for (const promise of [failed, silent, said]) promise.catch(() => undefined)
    stdout?.destroy()
    child.unref()
  }
}
