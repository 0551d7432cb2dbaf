import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { ExitCause } from '@backplane/kernel'
import type { SocketPair } from '@backplane/rpc'
import { egressDescriptor } from '../egress/egress-words.ts'
import { PluginOutput, type OutputLimits } from '../output/plugin-output.ts'
import { descendantsOf, useOf } from '../sandbox/process-tree.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { GuestBody, KillReason } from '../session-link/guest-body.ts'
import { settledWithin } from '../session-link/settled-within.ts'
import { closeUnused } from './pairs-ahead.ts'
import type { ProcessBoot } from './process-main.ts'

/** What a child is told by its command line, beside who its host is. */
export type ChildBoot = Omit<ProcessBoot, 'hostPid'>

/** How a child is started. */
export interface ChildOptions {
  /** What ties the child to this process's life, when there is something. */
  readonly launcher: string | undefined
  /** The sandbox it runs in, if any. Owned by the child from now on. */
  readonly sandbox?: Sandbox | undefined
  /** Whether it gets a way to the network, through the host. */
  readonly egress: boolean
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
 * killed by the kernel when this one ends, where the launcher or the sandbox is there to ask for that; else it ends when
 * it reads the end of its channel.
 */
export function childBody(options: ChildOptions): GuestBody {
  const { sandbox, pair, output: limits } = options
  const child = spawnChild(options)
  const egress = options.egress ? egressEnd(child) : undefined
  sandbox?.[Symbol.dispose]()
  pair.far.destroy()
  const output = new PluginOutput(limits)
  if (child.stdout !== null) output.read(child.stdout, 'info')
  if (child.stderr !== null) output.read(child.stderr, 'warn')
  let opened = false
  let spentMs = 0
  let why: KillReason | undefined
  const ended = childEnd(child, output)
    .then((cause) => sandbox?.finish(cause) ?? cause)
    .then((cause) => (why === undefined || !('lastLines' in cause) ? cause : { ...why, lastLines: cause.lastLines }))
  const pid = child.pid ?? 0
  void ended.then(() => (opened ? undefined : closeUnused(pair)))
  return {
    pid,
    output,
    egress,
    ended,
    measure: async () => {
      const [use, counts] = await Promise.all([(sandbox?.members(pid) ?? descendantsOf(pid)).then(useOf), sandbox?.counts()])
      // A group counts from when the process was put into it, the processes only as long as they are there: each is a least.
      spentMs = Math.max(spentMs, counts?.cpuMs ?? 0, use.cpuMs)
      return { ...use, cpuMs: spentMs, counts }
    },
    openChannel: () => {
      opened = true
      return pair.channel
    },
    ask: () => void child.kill('SIGTERM'),
    kill: (reason) => {
      why ??= reason
      child.kill('SIGKILL')
    },
  }
}

function spawnChild({ launcher, sandbox, flags, main, boot, cwd, pair, egress }: ChildOptions): ChildProcess {
  // In a sandbox the processes outside are not to be seen, and its first one stands for the host.
  const told: ProcessBoot = { ...boot, hostPid: sandbox?.hostPid ?? process.pid }
  const names = boot.slot === undefined ? [] : ['--preserve-symlinks']
  const tied = launcher === undefined ? [] : [launcher, '--pdeathsig', 'KILL', '--']
  const before = sandbox?.before ?? tied
  const [program, ...args] = [...before, process.execPath, ...flags, ...names, main, JSON.stringify(told)]
  const given = [...(egress ? ['pipe' as const] : []), ...(sandbox === undefined ? [] : [sandbox.descriptor])]
  return spawn(program, args, { cwd, env: {}, stdio: ['ignore', 'pipe', 'pipe', pair.far, ...given] })
}

/** The host's end. What is left of it must not outlive the child. */
function egressEnd(child: ChildProcess): Duplex | undefined {
  const end = child.stdio[egressDescriptor] as Duplex | undefined
  end?.on('error', () => undefined)
  child.once('exit', () => end?.destroy())
  return end
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
