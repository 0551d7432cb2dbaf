import {
  PlatformError,
  type HookHandler,
  type HookPoint,
  type PluginIdentity,
  type PluginModule,
  type ProviderPoint,
  type Scope,
} from '@backplane/sdk'
import type {
  CallContext,
  Contribution,
  Enforcement,
  ExitCause,
  HostLink,
  Instance,
  Runtime,
  StartRequest,
  Target,
  Usage,
  Use,
  Violation,
} from '@backplane/kernel'
import { contextOf, InlineCall, scopeClient } from './inline-client.ts'

/** A runtime for tests: runs modules that are in memory, in this process, and can be told to let one end unexpectedly. */
export interface InlineRuntime extends Runtime {
  /** Generations running now. */
  readonly running: () => readonly PluginIdentity[]
  /** Ends every running generation of a plugin, or one of them, as if its process had ended. */
  readonly crash: (plugin: string, cause?: ExitCause, generation?: number) => void
  /** Lets every running generation of a plugin, or one of them, answer this when it is asked what it uses. */
  readonly use: (plugin: string, usage: Partial<Usage>, generation?: number) => void
  /** Tells the host that every running generation of a plugin, or one of them, went over a limit or past a grant. */
  readonly violate: (plugin: string, violation: Violation, generation?: number) => void
  /** Tells the host that every running generation of a plugin used something. */
  readonly tellUse: (plugin: string, use: Use | 'untold') => void
}

/** What {@link inlineRuntime} may be told. */
export interface InlineRuntimeOptions {
  /** Default `trusted`. */
  readonly tier?: Runtime['tier']
  /** What it says it enforces. Default: nothing to say. */
  readonly enforces?: Runtime['enforces']
  /** Default: it has no audit mode. With one it tells of everything in audit mode, and of the network otherwise. */
  readonly cannotAudit?: Runtime['cannotAudit']
}

/** Makes a runtime that runs plugins inline. */
export function inlineRuntime(options: InlineRuntimeOptions = {}): InlineRuntime {
  const { tier = 'trusted', enforces = () => noEnforcement, cannotAudit } = options
  const running = new Set<InlineInstance>()
  const named = (id: string, generation?: number): InlineInstance[] =>
    [...running].filter(({ plugin }) => plugin.id === id && (generation ?? plugin.generation) === plugin.generation)
  return {
    tier,
    enforces,
    ...(cannotAudit === undefined ? {} : { cannotAudit }),
    start: async (request, host, signal) => {
      if (request.code.kind !== 'module')
        throw new PlatformError('RUNTIME_LOAD_FAILED', 'the inline runtime runs modules in memory only')
      const instance = new InlineInstance(request, host, tier)
      try {
        await abortable(instance.setUp(request.code.module), signal)
      } catch (error) {
        await instance.stop()
        if (signal.aborted || error instanceof PlatformError) throw error
        const message = error instanceof Error ? error.message : String(error)
        throw new PlatformError('RUNTIME_SETUP_FAILED', message, { plugin: request.plugin.id, cause: error })
      }
      if (cannotAudit !== undefined) instance.tellsUse = request.audit === true ? everything : ['net:connect']
      running.add(instance)
      void instance.exited.then(() => running.delete(instance))
      return instance
    },
    running: () => [...running].map(({ plugin }) => plugin),
    crash: (plugin, cause = { kind: 'signal', signal: 'SIGKILL', lastLines: [] }, generation) => {
      for (const instance of named(plugin, generation)) instance.end(cause)
    },
    use: (plugin, usage, generation) => {
      for (const instance of named(plugin, generation)) instance.use(usage)
    },
    violate: (plugin, violation, generation) => {
      for (const instance of named(plugin, generation)) instance.violate(violation)
    },
    tellUse: (plugin, use) => {
      for (const instance of named(plugin)) instance.tellUse(use)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map((instance) => instance.stop()))
    },
  }
}

const everything: NonNullable<Instance['tellsUse']> = ['fs:read', 'fs:write', 'exec', 'net:connect']
const noEnforcement: readonly Enforcement[] = []
const noUsage: Usage = {
  cpuMs: undefined,
  memoryBytes: undefined,
  heapBytes: undefined,
  processes: undefined,
  openFiles: undefined,
  stallMs: undefined,
}

type Method = (value: unknown, call: unknown) => unknown
type Methods = Readonly<Record<string, Method>>

class InlineInstance implements Instance {
  readonly plugin: PluginIdentity
  readonly tier: Runtime['tier']
  readonly pid: number = process.pid
  readonly contributions: Contribution[] = []
  readonly exited: Promise<ExitCause>
  tellsUse: NonNullable<Instance['tellsUse']> = []
  readonly #request: StartRequest
  readonly #host: HostLink
  readonly #ended = Promise.withResolvers<ExitCause>()
  readonly #stopping = new AbortController()
  readonly #registered = new Map<string, Map<string, Methods>>()
  readonly #opened = new Map<number, Methods>()
  readonly #cleanups: (() => void | Promise<void>)[] = []
  #settingUp = true
  #usage: Usage = noUsage
  readonly #life: { health?: () => unknown; snapshot?: () => unknown; restore?: (value: unknown) => unknown } = {}
  #newest = 0
  #stopped: Promise<void> | undefined

  constructor(request: StartRequest, host: HostLink, tier: Runtime['tier']) {
    this.plugin = request.plugin
    this.tier = tier
    this.#request = request
    this.#host = host
    this.exited = this.#ended.promise
  }

  async setUp({ setup, migrate }: PluginModule): Promise<void> {
    const scope = this.#scope()
    try {
      if (this.#request.migrate !== undefined) {
        if (migrate === undefined) throw new PlatformError('RUNTIME_MIGRATE_FAILED', 'it has no migrate function')
        await migrate({ ...this.#request.migrate, ...scope })
      }
      await setup(scope)
    } finally {
      this.#settingUp = false
    }
  }

  use(usage: Partial<Usage>): void {
    this.#usage = { ...this.#usage, ...usage }
  }

  violate(violation: Violation): void {
    this.#host.violated(violation)
  }

  tellUse(use: Use | 'untold'): void {
    if (use === 'untold') this.#host.untold?.()
    else this.#host.used(use)
  }

  end(cause: ExitCause): void {
    this.#stopping.abort()
    this.#ended.resolve(cause)
  }

  async call(target: Target, value: unknown, context: CallContext): Promise<unknown> {
    return this.#methods(target)[target.method]?.(value, new InlineCall(context, this.#host))
  }

  async *stream(target: Target, value: unknown, context: CallContext): AsyncIterable<unknown> {
    yield* this.#methods(target)[target.method]?.(value, new InlineCall(context, this.#host)) as AsyncIterable<unknown>
  }

  async open(target: Target, options: unknown, context: CallContext): Promise<{ instance: number; methods: readonly string[] }> {
    const opened = (await this.#methods(target)[target.method]?.(options, new InlineCall(context, this.#host))) as Methods
    this.#newest += 1
    this.#opened.set(this.#newest, opened)
    return { instance: this.#newest, methods: methodNames(opened) }
  }

  async close({ instance = 0 }: Target): Promise<void> {
    const opened = this.#opened.get(instance)
    this.#opened.delete(instance)
    await opened?.['close']?.(undefined, undefined)
  }

  async ping(): Promise<void> {}

  async health(): Promise<void> {
    await this.#life.health?.()
  }

  async usage(): Promise<Usage> {
    return this.#usage
  }

  async snapshot(): Promise<unknown> {
    return structuredClone(await this.#life.snapshot?.())
  }

  async restore(value: unknown): Promise<void> {
    await this.#life.restore?.(value)
  }

  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#stopping.abort()
      for (const instance of this.#opened.keys())
        await this.close({ point: '', name: '', method: 'close', instance }).catch(() => undefined)
      for (const cleanup of this.#cleanups.toReversed()) {
        try {
          await cleanup()
        } catch (error) {
          this.#host.log({ level: 'error', message: `a cleanup threw: ${String(error)}` })
        }
      }
      this.#ended.resolve({ kind: 'stopped' })
    })()
    return this.#stopped
  }

  #methods({ point, name, method, instance }: Target): Methods {
    const methods = instance === undefined ? this.#registered.get(point)?.get(name) : this.#opened.get(instance)
    if (typeof methods?.[method] === 'function') return methods
    throw new PlatformError('RUNTIME_METHOD_UNKNOWN', `${point} ${name} has no ${method}`)
  }

  #register(contribution: Contribution, methods: Methods): void {
    const { point, name } = contribution
    if (!this.#settingUp) throw new PlatformError('SCOPE_SETUP_OVER', `${point} ${name} was registered after setup`)
    if (!(this.#request.declared[point]?.includes(name) ?? false)) {
      throw new PlatformError('POINT_UNDECLARED', `${point} "${name}" is not in the manifest`)
    }
    this.contributions.push(contribution)
    const names = this.#registered.get(point) ?? new Map<string, Methods>()
    this.#registered.set(point, names.set(name, methods))
  }

  #scope(): Scope {
    const { plugin, host, config, directories } = this.#request
    const link = this.#host
    const write = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      link.log({ level, message, ...(fields === undefined ? {} : { fields }) })
    return {
      plugin,
      host,
      config,
      directories,
      signal: this.#stopping.signal,
      secrets: { get: (name) => link.secret(name) },
      log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
      state: { ...link.state, keys: (prefix = '') => link.state.keys(prefix) },
      on: <P extends HookPoint>(point: P, name: string, handler: HookHandler<P>) =>
        this.#register({ point: point.id, name, kind: 'hook', methods: ['handle'] }, { handle: handler as Method }),
      provide: (point: ProviderPoint, name: string, provided: object) => {
        const methods = point.open === undefined ? methodNames(provided) : []
        this.#register({ point: point.id, name, kind: 'provider', methods }, provided as Methods)
      },
      contribute: (point, name, value) => this.#register({ point: point.id, name, kind: 'data', methods: [], value }, {}),
      use: (point, name) => scopeClient(link, point, name),
      emit: (point, value, options = {}) => link.emit(point.id, value, contextOf(options)),
      health: (check) => void (this.#life.health = check),
      snapshot: (take) => void (this.#life.snapshot = take),
      restore: (put) => void (this.#life.restore = put),
      defer: (cleanup) => void this.#cleanups.push(cleanup),
    }
  }
}

/** Own and inherited functions of what a plugin provides: classes are fine. */
function methodNames(provided: object): readonly string[] {
  const names = new Set<string>()
  for (
    let at: object | null = provided;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name !== 'constructor' && name !== 'close' && typeof Reflect.get(provided, name) === 'function') names.add(name)
    }
  }
  return [...names]
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)))
    signal.addEventListener('abort', aborted, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
