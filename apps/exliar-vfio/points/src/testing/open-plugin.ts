import type {
  Call,
  HookPoint,
  Logger,
  LogLevel,
  PluginModule,
  ProviderHandle,
  ProviderPoint,
  Schema,
  Scope,
} from '@backplane/sdk'

/** What a plugin is opened with; what is left out is empty. */
export interface OpenPluginOptions {
  /** Default `exliar/under-test`. */
  readonly id?: string
  /** Complete: the defaults of the manifest's schema are filled in by a host only. */
  readonly config?: unknown
  readonly secrets?: Readonly<Record<string, string>>
  /** Methods of what `scope.use(point, 'core')` answers, by the point's id. */
  readonly services?: Readonly<Record<string, Readonly<Record<string, (value: never) => unknown>>>>
  /** What the plugin stored before. */
  readonly state?: ReadonlyMap<string, unknown>
  /** Called with every event the plugin emits; what it throws, `scope.emit` throws. */
  readonly onEmit?: (point: string, value: unknown) => void
}

/** A line the plugin wrote. */
export interface PluginLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A plugin in memory, without a kernel: values pass the points' schemas both ways, as they do on their way through a host. */
export interface OpenedPlugin extends AsyncDisposable {
  /** Runs one handler and answers what it answered. */
  readonly handle: <V>(point: HookPoint<V>, name: string, value: V) => Promise<unknown>
  /** What it provides without `open`. */
  readonly provider: <P extends ProviderPoint>(point: P, name: string) => ProviderHandle<P>
  readonly state: ReadonlyMap<string, unknown>
  readonly lines: readonly PluginLine[]
  readonly emitted: readonly { readonly point: string; readonly value: unknown }[]
  /** What it would hand to its next version. */
  readonly snapshot: () => Promise<unknown>
  readonly restore: (value: unknown) => Promise<void>
}

type Method = (value: unknown, call: Call) => unknown
type MethodTable = Readonly<Record<string, Method>>

/** Runs a plugin's `setup`. Dispose it to run what it deferred. */
export async function openPlugin<Config>(plugin: PluginModule<Config>, options: OpenPluginOptions = {}): Promise<OpenedPlugin> {
  const kept = keptBy(options)
  const { handlers, provided, cleanups, stopping, log, life } = kept
  await plugin.setup(scopeOver<Config>(kept, options))
  return {
    handle: async (point, name, value) => {
      const handler = handlers.get(`${point.id} ${name}`) ?? fail(`nothing handles ${point.id} as ${name}`)
      const answer = await handler(checked(point.value, value), callWith(log))
      return point.strategy === 'pipe' && answer !== undefined ? checked(point.value, answer) : answer
    },
    provider: (point, name) =>
      clientOf(point, provided.get(`${point.id} ${name}`) ?? fail(`nothing provides ${point.id} as ${name}`), log),
    state: kept.state,
    lines: kept.lines,
    emitted: kept.emitted,
    snapshot: async () => structuredClone(await life.snapshot?.()),
    restore: async (value) => life.restore?.(value),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      for (const cleanup of cleanups) await cleanup()
    },
  }
}

/** What a scope writes into. */
interface Kept {
  readonly state: Map<string, unknown>
  readonly lines: PluginLine[]
  readonly log: Logger
  readonly emitted: { readonly point: string; readonly value: unknown }[]
  readonly handlers: Map<string, Method>
  readonly provided: Map<string, MethodTable>
  readonly cleanups: (() => void | Promise<void>)[]
  readonly life: { snapshot?: () => unknown; restore?: (value: unknown) => void | Promise<void> }
  readonly stopping: AbortController
}

function keptBy({ state }: OpenPluginOptions): Kept {
  const lines: PluginLine[] = []
  return {
    state: new Map(state),
    lines,
    log: logInto(lines),
    emitted: [],
    handlers: new Map(),
    provided: new Map(),
    cleanups: [],
    life: {},
    stopping: new AbortController(),
  }
}

function scopeOver<Config>(kept: Kept, options: OpenPluginOptions): Scope<Config> {
  const { id = 'exliar/under-test', secrets = {}, services = {}, onEmit } = options
  const { state, log, emitted, handlers, provided, cleanups, life, stopping } = kept
  return {
    plugin: { id, version: '0.0.0', generation: 1 },
    host: { name: 'exliar', api: '1.0.0' },
    config: options.config as Config,
    log,
    signal: stopping.signal,
    directories: { code: '/nowhere', data: '/nowhere', exchange: '/nowhere' },
    secrets: { get: async (name) => secrets[name] ?? fail(`no secret ${name}`) },
    state: {
      get: async (key) => structuredClone(state.get(key)),
      set: async (key, value) => void state.set(key, JSON.parse(JSON.stringify(value))),
      delete: async (key) => void state.delete(key),
      keys: async (prefix = '') => [...state.keys()].filter((key) => key.startsWith(prefix)).sort(),
    },
    on: (point, name, handler) => void handlers.set(`${point.id} ${name}`, handler as Method),
    provide: (point, name, methods) => void provided.set(`${point.id} ${name}`, methods),
    contribute: () => fail('a data point is not declared'),
    use: (point) => clientOf(point, (services[point.id] ?? fail(`no service ${point.id}`)) as unknown as MethodTable, log),
    emit: async (point, value) => {
      emitted.push({ point: point.id, value: checked(point.value, value) })
      onEmit?.(point.id, value)
      return undefined
    },
    health: () => undefined,
    snapshot: (take) => (life.snapshot = take),
    restore: (put) => (life.restore = put),
    defer: (cleanup) => void cleanups.unshift(cleanup),
  }
}

function clientOf<P extends ProviderPoint>(point: P, implementation: MethodTable, log: Logger): ProviderHandle<P> {
  const methods = Object.entries(point.methods).map(([name, { input, output }]) => [
    name,
    async (value: unknown): Promise<unknown> => {
      const method = implementation[name] ?? fail(`${point.id} has no ${name} here`)
      return checked(output, await method(checked(input, value), callWith(log)))
    },
  ])
  return { ...Object.fromEntries(methods), has: (name: string) => name in implementation } as ProviderHandle<P>
}

function callWith(log: Logger): Call {
  return {
    signal: new AbortController().signal,
    deadlineAtMs: undefined,
    traceId: '0'.repeat(32),
    caller: 'host',
    log,
    progress: () => undefined,
  }
}

function logInto(lines: PluginLine[]): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      void lines.push({ level, message, fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function checked(schema: Schema, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) return fail('the schema is asynchronous')
  if (result.issues !== undefined) return fail(JSON.stringify(result.issues))
  return result.value
}

function fail(message: string): never {
  throw new Error(message)
}
