import type { Enforcement, StartRequest } from '@backplane/kernel'
import { layOutGuest, type GuestFiles } from '../bundle/guest-files.ts'
import type { GuestModules } from '../guest/guest-modules.ts'
import { hostConditions } from '../host-conditions.ts'
import { SpareBodies, type Shape } from '../pool/spare-bodies.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import type { PooledRuntime } from '../pool/pooled-runtime.ts'
import { outputMechanism } from '../session-link/session-limits.ts'
import { filesOf, startOverSession, type Placement } from '../session-link/start-over-session.ts'
import { trackedRuntime } from '../tracked-runtime.ts'
import type { ContainedOptions } from './contained-options.ts'
import { workerBody } from './worker-body.ts'

/**
 * The tier for code that may be wrong but not hostile: a thread of its own with an empty environment. A throw, an exit or
 * an endless loop in it cannot take the host down; one very large allocation can, and files, network and programs are as
 * open to it as to the host.
 */
export function contained(options: ContainedOptions = {}): PooledRuntime {
  const factory = new WorkerFactory(options)
  if ((options.pool?.size ?? 0) > 0) void factory.warm()
  const runtime = trackedRuntime({
    tier: 'contained',
    enforces: () => enforcement,
    launch: async (request, host, signal) =>
      startOverSession('contained', await factory.place(request), request, { ...options, host, signal }),
    [Symbol.asyncDispose]: () => factory[Symbol.asyncDispose](),
  })
  return { ...runtime, warm: () => factory.warm() }
}

const enforcement: readonly Enforcement[] = [
  ...['fs:read', 'fs:write', 'exec', 'net:connect'].map((what): Enforcement => ({
    what,
    level: 'none',
    mechanism: 'a thread of the host',
  })),
  { what: 'limit:memory', level: 'coarse', mechanism: 'worker resourceLimits: the JavaScript heap only' },
  { what: 'limit:output', level: 'exact', mechanism: outputMechanism },
]

interface WorkerShape extends Shape {
  readonly memoryMiB: number
}

/** Makes workers, or takes them from the pool. */
class WorkerFactory implements AsyncDisposable {
  readonly #options: ContainedOptions
  readonly #spares: SpareBodies<WorkerShape, GuestBody>
  #files: Promise<GuestFiles> | undefined

  constructor(options: ContainedOptions) {
    this.#options = options
    const { size = 0, memoryMiB = 256 } = options.pool ?? {}
    this.#spares = new SpareBodies({ size, usual: workerShape(memoryMiB), make: (shape) => this.#make(shape, true) })
  }

  /** Does ahead what the first start would wait for. Errors are left to that start. */
  async warm(): Promise<void> {
    await this.#layOut().catch(() => undefined)
    await this.#spares.fill()
  }

  async place(request: StartRequest): Promise<Placement> {
    const code = filesOf(request, 'contained')
    const shape = workerShape(request.limits.memoryMiB)
    const body = this.#spares.take(shape) ?? (await this.#make(shape, false))
    return { body, code, directories: request.directories }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spares[Symbol.asyncDispose]()
    const files = await this.#files?.catch(() => undefined)
    await files?.[Symbol.asyncDispose]()
  }

  async #make({ memoryMiB }: WorkerShape, preload: boolean): Promise<GuestBody> {
    const { main, sdkUrl } = await this.#layOut()
    const { output = {}, modules } = this.#options
    const guest: GuestModules = { modules: { ...modules, '@backplane/sdk': sdkUrl }, preload }
    return workerBody({ main, guest, memoryMiB, output, execArgv: hostConditions(process.execArgv) })
  }

  #layOut(): Promise<GuestFiles> {
    this.#files ??= layOutGuest('worker', this.#options.temporaryDirectory)
    return this.#files
  }
}

function workerShape(memoryMiB: number): WorkerShape {
  return { key: String(memoryMiB), memoryMiB }
}
