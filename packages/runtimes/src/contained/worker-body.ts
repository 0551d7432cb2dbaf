import { MessageChannel, Worker } from 'node:worker_threads'
import type { ExitCause } from '@backplane/kernel'
import { portChannel } from '@backplane/rpc'
import type { GuestModules } from '../guest/guest-modules.ts'
import { PluginOutput, type OutputLimits } from '../output/plugin-output.ts'
import { workerProfile } from '../profile/worker-profile.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import type { WorkerBoot } from './worker-main.ts'

/** How a worker is started. */
export interface WorkerOptions {
  /** The guest's program. */
  readonly main: string
  readonly execArgv: readonly string[]
  readonly guest: GuestModules
  readonly memoryMiB: number
  readonly output: Partial<OutputLimits>
}

/** Starts a worker thread for a guest: empty environment, output captured, heap limited. */
export function workerBody({ main, execArgv, guest, memoryMiB, output: limits }: WorkerOptions): GuestBody {
  const { port1, port2 } = new MessageChannel()
  const boot: WorkerBoot = { ...guest, port: port2 }
  const worker = new Worker(main, {
    workerData: boot,
    transferList: [port2],
    env: {},
    argv: [],
    execArgv: [...execArgv],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
  })
  const output = new PluginOutput(limits)
  output.read(worker.stdout, 'info')
  output.read(worker.stderr, 'warn')
  const kill = (): void => void worker.terminate()
  return {
    pid: process.pid,
    output,
    ended: workerEnd(worker, output),
    openChannel: () => portChannel(port1),
    profile: (kind, profiled) => (kind === 'cpu' ? workerProfile(worker, profiled) : undefined),
    // A thread cannot be asked by a signal.
    ask: kill,
    kill,
  }
}

async function workerEnd(worker: Worker, output: PluginOutput): Promise<ExitCause> {
  let memory: string | undefined
  worker.on('error', (error: unknown) => {
    const { code, message, stack } = Object(error) as Record<string, unknown>
    if (code === 'ERR_WORKER_OUT_OF_MEMORY') memory = String(message)
    // What a process would print when it dies of an uncaught error.
    else output.print(String(stack ?? error), 'error')
  })
  const code = await new Promise<number>((resolve) => worker.once('exit', resolve))
  const { lastLines } = output
  return memory === undefined ? { kind: 'exit', code, lastLines } : { kind: 'memory', detail: memory, lastLines }
}
