import type { Server } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { VmConfig, VmStats } from '@exliar-vfio/points'
import { z } from 'zod'
import { exliarErrors } from '../errors.ts'
import type { MachineState } from './virsh.ts'
import { listenForNews, type WatchNews } from './watch-socket.ts'
import { watchPlaces } from './watch-state.ts'

/** What a process that is to be a watch reads from its standard input. `ended`: there was none, and the run is over. */
export const WatchTask = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('run'), directory: z.string(), config: VmConfig, started_at: z.string().nullable() }),
  z.object({
    kind: z.literal('ended'),
    directory: z.string(),
    config: VmConfig,
    started_at: z.string().nullable(),
    ended_at: z.string(),
    reason: z.string().nullable(),
    /** False: it was prepared and never seen to run. */
    ran: z.boolean(),
  }),
])
export type WatchTask = z.output<typeof WatchTask>

const longestTask = 4 * 1024 * 1024

/** Reads what a watch is to do. Errors: `VM_WATCH_FAILED` when it is no task. */
export async function readWatchTask(input: AsyncIterable<unknown>): Promise<WatchTask> {
  let text = ''
  for await (const part of input) {
    text += String(part)
    if (text.length > longestTask) break
  }
  try {
    return WatchTask.parse(JSON.parse(text))
  } catch (error) {
    throw exliarErrors.error('VM_WATCH_FAILED', { name: 'a machine', reason: 'what it is to do was not said' }, { cause: error })
  }
}

/** What hosts the plugins of a run. */
export interface WatchCallbacks {
  /** The watch begins: before the machine runs, or with a machine that already does. A failure is logged, and it goes on. */
  readonly onStart: (config: VmConfig) => Promise<void>
  /** The run is over, whichever way; called once, after `onStart` ended. */
  readonly onEnd: (stats: VmStats) => Promise<void>
}

/** How a watch is run. */
export interface WatchOptions extends WatchCallbacks {
  readonly task: WatchTask
  /** Called once news are heard; the process that started the watch waits for it. */
  readonly ready: () => void
  /** Asks libvirt what became of a machine. It is never called while a hook of that machine waits for the watch. */
  readonly state: (uuid: string, signal: AbortSignal) => Promise<MachineState>
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  /** Ends the watch without telling anybody: the run goes on, and whoever sees its end tells it. */
  readonly signal?: AbortSignal
  readonly limits?: Partial<WatchLimits>
}

/** Deadlines of a watch. */
export interface WatchLimits {
  /** A machine that was prepared and does not run by then never will; default ten minutes. */
  readonly startMs: number
  /** How often libvirt is asked whether the machine is still there, should its hooks be gone; default one minute. */
  readonly checkEveryMs: number
  /** For `onStart` and `onEnd` each; default one minute. */
  readonly callbackMs: number
}

const defaults: WatchLimits = { startMs: 10 * 60_000, checkEveryMs: 60_000, callbackMs: 60_000 }

/**
 * Watches one run of a machine and answers how it went; undefined when `signal` ended it. Errors: `VM_WATCH_FAILED` when
 * nothing can be heard.
 */
export async function runWatch(options: WatchOptions): Promise<VmStats | undefined> {
  const { task, onEnd, log } = options
  const limits = { ...defaults, ...options.limits }
  if (task.kind === 'ended') options.ready()
  const end = task.kind === 'ended' ? endOf(task) : await watch(options, task, limits)
  if (end === undefined) return undefined
  const stats = VmStats.parse({
    name: task.config.name,
    uuid: task.config.uuid,
    started_at: end.startedAt,
    ended_at: end.endedAt,
    runtime_seconds: runtimeSeconds(end),
    ended_by: end.ran === false ? 'failed' : await endedBy(options, end),
    devices: task.config.devices,
  })
  await within(limits.callbackMs, onEnd(stats)).catch((error: unknown) => log('the end of a run was not told', { error }))
  return stats
}

interface RunEnd {
  readonly startedAt: string | null
  readonly endedAt: string
  readonly reason: string | null
  /** Undefined: that is not known. */
  readonly ran: boolean | undefined
}

function endOf(task: WatchTask & { kind: 'ended' }): RunEnd {
  return { startedAt: task.started_at, endedAt: task.ended_at, reason: task.reason, ran: task.ran ? undefined : false }
}

async function watch(options: WatchOptions, task: WatchTask & { kind: 'run' }, limits: WatchLimits): Promise<RunEnd | undefined> {
  const { socket } = watchPlaces(task.directory, task.config.uuid)
  const over = Promise.withResolvers<RunEnd | undefined>()
  let startedAt = task.started_at
  let stoppedAt: string | null = null
  let server: Server | undefined
  const take = (news: WatchNews): void => {
    if (news.kind === 'started') startedAt ??= news.at
    else if (news.kind === 'stopped') stoppedAt = news.at
    else {
      // Takes the socket away: the next start may listen there as soon as this is answered.
      server?.close()
      over.resolve({ startedAt, endedAt: stoppedAt ?? news.at, reason: news.reason, ran: startedAt !== null })
    }
  }
  server = await listenForNews(socket, take).catch((error: unknown) => {
    throw exliarErrors.error('VM_WATCH_FAILED', { name: task.config.name, reason: String(error) }, { cause: error })
  })
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  options.signal?.addEventListener('abort', () => over.resolve(undefined), { once: true })
  if (options.signal?.aborted === true) over.resolve(undefined)
  try {
    options.ready()
    const checking = check(options, limits, () => startedAt, signal).then((end) => end === undefined || over.resolve(end))
    const starting = within(limits.callbackMs, options.onStart(task.config)).catch((error: unknown) =>
      options.log('the start of a run was not told', { error }),
    )
    const end = await over.promise
    stop.abort()
    await Promise.all([starting, checking])
    return end
  } finally {
    stop.abort()
    if (server.listening) server.close()
  }
}

/** Notices an end that no hook told of: the hooks were taken away, or libvirt ended during the start. */
async function check(
  { task, state }: WatchOptions,
  { startMs, checkEveryMs }: WatchLimits,
  startedAt: () => string | null,
  signal: AbortSignal,
): Promise<RunEnd | undefined> {
  const giveUpAt = performance.now() + startMs
  let seenOff = 0
  while (!signal.aborted) {
    await wait(checkEveryMs, undefined, { signal, ref: false }).catch(() => undefined)
    const now = signal.aborted ? undefined : await state(task.config.uuid, signal).catch(() => undefined)
    seenOff = now?.state === 'shut off' ? seenOff + 1 : 0
    const ran = startedAt() !== null
    const isOver = ran ? seenOff > 1 : now?.state !== 'running' && now?.state !== 'paused' && performance.now() > giveUpAt
    const endedAt = new Date().toISOString()
    if (isOver && !signal.aborted) return { startedAt: startedAt(), endedAt, reason: now?.reason ?? null, ran }
  }
  return undefined
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  const deadline = new AbortController()
  const late = wait(timeoutMs, undefined, { signal: deadline.signal }).then(() => {
    throw exliarErrors.error('VM_WATCH_FAILED', { name: 'the machine', reason: `a plugin took longer than ${timeoutMs} ms` })
  })
  try {
    await Promise.race([work, late])
  } finally {
    deadline.abort()
    late.catch(() => undefined)
  }
}

function runtimeSeconds({ startedAt, endedAt, ran }: RunEnd): number | null {
  if (ran === false) return 0
  if (startedAt === null) return null
  return Math.max(0, (Date.parse(endedAt) - Date.parse(startedAt)) / 1000)
}

const words: Readonly<Record<string, VmStats['ended_by']>> = {
  shutdown: 'shutdown',
  destroyed: 'destroyed',
  crashed: 'crashed',
  migrated: 'migrated',
  saved: 'saved',
  failed: 'failed',
}

/** libvirt 10.5 and newer tells the hook; otherwise it is asked once the hook has gone. */
async function endedBy(options: WatchOptions, { reason }: RunEnd): Promise<VmStats['ended_by']> {
  const told = words[reason ?? '']
  if (told !== undefined) return told
  const signal = AbortSignal.any([AbortSignal.timeout(10_000), ...(options.signal === undefined ? [] : [options.signal])])
  const now = await options.state(options.task.config.uuid, signal).catch(() => undefined)
  return now?.state === 'shut off' ? (words[now.reason] ?? 'unknown') : 'unknown'
}
