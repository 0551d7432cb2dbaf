import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { ExitCause } from '@backplane/kernel'
import type { SocketPair } from '@backplane/rpc'
import { PluginOutput, type OutputLimits } from '../output/plugin-output.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import { settledWithin } from '../session-link/settled-within.ts'
import { closeUnused } from './pairs-ahead.ts'
import type { ProcessBoot } from './process-main.ts'

/** What a child is told by its command line, beside who its host is. */
export type ChildBoot = Omit<ProcessBoot, 'hostPid'>

/** How a child is started. */
export interface ChildOptions {
  /** `setpriv`, when there is one. */
  readonly launcher: string | undefined
  readonly flags: readonly string[]
  /** The guest's program. */
  readonly main: string
  readonly boot: ChildBoot
  readonly cwd: string
  /** Owned by the child from now on. */
  readonly pair: SocketPair
  readonly output: Partial<OutputLimits>
}

/** How long after the exit what was printed last may take to arrive, ms. */
const lastOutputMs = 100

/**
 * Starts a process for a guest: empty environment, no standard input, frames on an inherited descriptor. The process is
 * killed by the kernel when this one ends, where the launcher is there to ask for that; else it ends when it reads the
 * end of its channel.
 */
export function childBody({ launcher, flags, main, boot, cwd, pair, output: limits }: ChildOptions): GuestBody {
  const told: ProcessBoot = { ...boot, hostPid: process.pid }
  const names = boot.slot === undefined ? [] : ['--preserve-symlinks']
  const node = [process.execPath, ...flags, ...names, main, JSON.stringify(told)] as const
  const [program, ...args] = launcher === undefined ? node : ([launcher, '--pdeathsig', 'KILL', '--', ...node] as const)
  const child = spawn(program, args, { cwd, env: {}, stdio: ['ignore', 'pipe', 'pipe', pair.far], detached: false })
  pair.far.destroy()
  const output = new PluginOutput(limits)
  if (child.stdout !== null) output.read(child.stdout, 'info')
  if (child.stderr !== null) output.read(child.stderr, 'warn')
  let opened = false
  const ended = childEnd(child, output)
  void ended.then(() => (opened ? undefined : closeUnused(pair)))
  return {
    pid: child.pid ?? 0,
    output,
    ended,
    openChannel: () => {
      opened = true
      return pair.channel
    },
    ask: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  }
}

async function childEnd(child: ChildProcess, output: PluginOutput): Promise<ExitCause> {
  const closed = once(child, 'close').catch(() => undefined)
  const end = await new Promise<{ code: number | null; signal: string | null; error?: Error }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error })
    })
  })
  if (end.error !== undefined) return { kind: 'exit', code: -1, lastLines: [end.error.message] }
  child.stdout?.resume()
  child.stderr?.resume()
  await settledWithin(closed, lastOutputMs)
  const { lastLines, outOfMemory } = output
  if (outOfMemory !== undefined) return { kind: 'memory', detail: outOfMemory, lastLines }
  if (end.signal !== null) return { kind: 'signal', signal: end.signal, lastLines }
  return { kind: 'exit', code: end.code ?? -1, lastLines }
}
