import { rm } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import type { PlatformError } from '@backplane/sdk'
import { processStarted } from '@backplane/storage'
import type { VmConfig } from '@exliar-vfio/points'
import { exliarErrors } from '../errors.ts'
import { configDifferences } from './config-differences.ts'
import { editDomain } from './edit-domain.ts'
import { refusedExitCode } from './hook-script.ts'
import type { WatchTask } from './run-watch.ts'
import type { PreStart } from './start-machine.ts'
import { startWatch } from './start-watch.ts'
import { readVmConfig, type DeviceFacts } from './vm-config.ts'
import { tellWatch, type WatchNews } from './watch-socket.ts'
import { readWatchState, watchPlaces, writeWatchState, type WatchPlaces, type WatchState } from './watch-state.ts'
import { readXml } from './xml-document.ts'

/** What libvirt calls a hook with: four arguments, and the machine's XML on standard input. */
export interface HookCall {
  readonly args: readonly string[]
  readonly xml: string
}

/** What is answered to libvirt. */
export interface HookAnswer {
  /** 0, or the code with which the script stops the start. */
  readonly exitCode: number
  /** Lines for standard error; libvirt shows them where the start is stopped. */
  readonly messages: readonly string[]
  /** Why the start is stopped: `VM_START_REFUSED` or `VM_NOT_PREPARED`. */
  readonly refusal?: PlatformError
}

/** What a hook needs. Nothing of it may ask libvirt anything: libvirt waits for the hook. */
export interface HookOptions {
  /** `run/exliar-vfio` of the tree, as a path on this machine. */
  readonly directory: string
  readonly facts: DeviceFacts
  readonly preStart: PreStart
  /** What to do when plugins want a change that the machine does not have: too late to make it. Default `abort`. */
  readonly unprepared?: 'abort' | 'allow'
  /** Program and arguments that become the watch. */
  readonly watchCommand: readonly string[]
  /** Whether a run of this machine is watched; default: every one. */
  readonly watches?: (config: VmConfig) => boolean
  readonly limits?: Partial<HookLimits>
}

/** Deadlines of one call; together below that of the script. */
export interface HookLimits {
  /** For all plugins together; default 40 s. What is not answered by then is a refusal. */
  readonly preStartMs: number
  /** For a watch to start, and to hear; default 8 s. */
  readonly watchMs: number
}

interface Context extends HookOptions {
  readonly limits: HookLimits
  readonly places: WatchPlaces
  readonly config: VmConfig
  readonly now: string
  readonly messages: string[]
}

/**
 * Answers one call of libvirt's. Only `prepare` can stop a machine, by a veto, a hook that fails, or a change that was not
 * made beforehand; a watch that fails is said and stops nothing. Errors: `VM_HOOK_CALL_INVALID`, `VM_XML_INVALID`.
 */
export async function runVmHook(call: HookCall, options: HookOptions): Promise<HookAnswer> {
  const [domain, operation, sub, extra] = call.args
  if (domain === undefined || operation === undefined || sub === undefined) {
    throw exliarErrors.error('VM_HOOK_CALL_INVALID', { reason: 'it takes a machine, an operation and a sub-operation' })
  }
  if (!hookOperations.includes(`${operation} ${sub}`)) return { exitCode: 0, messages: [] }
  const config = readVmConfig(readXml(call.xml), options.facts)
  if (config.name !== domain) {
    throw exliarErrors.error('VM_HOOK_CALL_INVALID', { reason: `the XML is of ${config.name}, not of ${domain}` })
  }
  const context: Context = {
    ...options,
    limits: { preStartMs: 40_000, watchMs: 8_000, ...options.limits },
    places: watchPlaces(options.directory, config.uuid),
    config,
    now: new Date().toISOString(),
    messages: [],
  }
  const refusal = operation === 'prepare' ? await prepare(context, call.xml) : await follow(context, operation, extra ?? '-')
  const { messages } = context
  if (refusal === undefined) return { exitCode: 0, messages }
  return { exitCode: refusedExitCode, messages: [...messages, `${refusal.message}. ${refusal.hint ?? ''}`], refusal }
}

/** Calls that mean something to us; the script leaves all others alone. */
export const hookOperations: readonly string[] = [
  'prepare begin',
  'started begin',
  'reconnect begin',
  'stopped end',
  'release end',
]

async function prepare(context: Context, xml: string): Promise<PlatformError | undefined> {
  const { config, places, now } = context
  const earlier = await readWatchState(places)
  // Nobody told of its end, such as where the hook was away meanwhile.
  if (earlier !== undefined) await release(context, earlier, null)
  const refusal = await refusalOf(context, xml)
  const state: WatchState = { prepared_at: now, started_at: null, refused: refusal !== undefined, process: null, config }
  await remember(context, state)
  if (refusal === undefined) await beginWatch(context, state)
  return refusal
}

/** Why the machine may not start; undefined: it may. */
async function refusalOf(
  { config, preStart, unprepared = 'abort', limits, messages }: Context,
  xml: string,
): Promise<PlatformError | undefined> {
  const deadline = new AbortController()
  try {
    const late = wait(limits.preStartMs, 'late' as const, { signal: deadline.signal })
    late.catch(() => undefined)
    const prepared = await Promise.race([preStart(config), late])
    if (prepared === 'late') throw new Error(`the plugins did not answer within ${limits.preStartMs} ms`)
    const fields = configDifferences(config, prepared.config)
    if (fields.length === 0) return undefined
    // What could not be written would not have been possible beforehand either.
    editDomain(xml, prepared.config)
    const plugins = [...new Set(prepared.changes.map(({ plugin }) => plugin))].join(', ') || 'a plugin'
    const error = exliarErrors.error('VM_NOT_PREPARED', { name: config.name, plugins, what: fields.join(', ') })
    if (unprepared === 'abort') return error
    messages.push(`${config.name} starts without ${fields.join(', ')}, which ${plugins} would change`)
    return undefined
  } catch (error) {
    return exliarErrors.error('VM_START_REFUSED', { name: config.name, reason: messageOf(error) }, { cause: error })
  } finally {
    deadline.abort()
  }
}

async function follow(context: Context, operation: string, extra: string): Promise<undefined> {
  const { places, config, now } = context
  const state = await readWatchState(places)
  if (operation === 'started' || operation === 'reconnect') {
    if (state?.refused === true) return undefined
    const startedAt = state?.started_at ?? (operation === 'started' ? now : null)
    const known: WatchState = { prepared_at: null, process: null, config, ...state, refused: false, started_at: startedAt }
    await remember(context, known)
    const isHeard = operation === 'reconnect' ? isAlive(known) : await tell(context, { kind: 'started', at: now })
    if (!isHeard) await beginWatch(context, known)
  } else if (operation === 'stopped') {
    if (state?.refused !== true) await tell(context, { kind: 'stopped', at: now })
  } else await release(context, state, extra === '-' ? null : extra)
  return undefined
}

async function release(context: Context, state: WatchState | undefined, reason: string | null): Promise<void> {
  const { places, config, now, watches, watchCommand, limits } = context
  await rm(places.state, { force: true })
  if (state?.refused === true || watches?.(config) === false) return
  if (state?.process !== null && state !== undefined && (await tell(context, { kind: 'released', at: now, reason }))) return
  await endWatch(places, state)
  const task: WatchTask = {
    kind: 'ended',
    directory: places.directory,
    config: state?.config ?? config,
    started_at: state?.started_at ?? null,
    ended_at: now,
    reason,
    ran: state === undefined || state.started_at !== null,
  }
  await attempt(context, () => startWatch({ command: watchCommand, task, timeoutMs: limits.watchMs }))
}

async function beginWatch(context: Context, state: WatchState): Promise<void> {
  const { places, config, watches, watchCommand, limits } = context
  if (watches?.(config) === false) return
  await endWatch(places, state)
  const task: WatchTask = { kind: 'run', directory: places.directory, config, started_at: state.started_at }
  await attempt(context, async () => {
    const started = await startWatch({ command: watchCommand, task, timeoutMs: limits.watchMs })
    await writeWatchState(places, { ...state, process: started })
  })
}

/** Two watches of one machine would tell its end twice. */
async function endWatch({ socket }: WatchPlaces, state: WatchState | undefined): Promise<void> {
  try {
    if (state?.process !== null && state !== undefined && isAlive(state)) process.kill(state.process.pid, 'SIGKILL')
  } catch {
    // It ended by itself just now.
  }
  await rm(socket, { force: true })
}

function isAlive(state: WatchState): boolean {
  return state.process !== null && processStarted(state.process.pid) === state.process.started
}

async function tell({ places, limits }: Context, news: WatchNews): Promise<boolean> {
  return tellWatch(places.socket, news, limits.watchMs)
}

async function remember(context: Context, state: WatchState): Promise<void> {
  await attempt(context, () => writeWatchState(context.places, state))
}

/** What keeps a run from being watched keeps no machine from starting or ending. */
async function attempt({ messages }: Context, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    messages.push(messageOf(error))
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
