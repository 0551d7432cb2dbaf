import type { Call, CallOptions, LogFields, Logger, LogLevel, ProviderHandle, ProviderPoint } from '@backplane/sdk'
import type { CallContext, HostLink, Target } from '@backplane/kernel'

/** The call a plugin's function is given, over the context its runtime was given. What is not asked for is not made. */
export class InlineCall implements Call {
  readonly #context: CallContext
  readonly #host: HostLink

  constructor(context: CallContext, host: HostLink) {
    this.#context = context
    this.#host = host
  }

  get signal(): AbortSignal {
    return this.#context.signal
  }

  get deadlineAtMs(): number | undefined {
    return this.#context.deadlineAtMs
  }

  get traceId(): string {
    return this.#context.traceId
  }

  get caller(): string {
    return this.#context.caller
  }

  get progress(): Call['progress'] {
    return (done, total, phase) =>
      this.#context.onProgress?.({ done, ...(total === undefined ? {} : { total }), ...(phase === undefined ? {} : { phase }) })
  }

  get log(): Logger {
    const { traceId } = this.#context
    const write =
      (level: LogLevel) =>
      (message: string, fields?: LogFields): void =>
        this.#host.log({ level, message, traceId, ...(fields === undefined ? {} : { fields }) })
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  }
}

/** What `scope.use` answers: a client over the host link. */
export function scopeClient<P extends ProviderPoint>(link: HostLink, point: P, name: string): ProviderHandle<P> {
  if (point.open === undefined) return client(link, point, { point: point.id, name }) as ProviderHandle<P>
  const open = async (options: unknown, callOptions: CallOptions = {}): Promise<unknown> => {
    const { instance, methods } = await link.open({ point: point.id, name, method: 'open' }, options, contextOf(callOptions))
    const close = (): Promise<void> => link.close({ point: point.id, name, method: 'close', instance })
    const members = client(link, point, { point: point.id, name, instance })
    return { ...members, has: (method: string) => methods.includes(method), [Symbol.asyncDispose]: close }
  }
  return { open } as ProviderHandle<P>
}

function client(link: HostLink, point: ProviderPoint, base: Omit<Target, 'method'>): Record<string, unknown> {
  const members: Record<string, unknown> = { has: (method: string) => method in point.methods }
  for (const [method, { kind }] of Object.entries(point.methods)) {
    const target: Target = { ...base, method }
    members[method] =
      kind === 'stream'
        ? (value: unknown, options: CallOptions = {}) => link.stream(target, value, contextOf(options))
        : (value: unknown, options: CallOptions = {}) => link.call(target, value, contextOf(options))
  }
  return members
}

/** The host fills in who calls; a deadline is told as a moment. */
export function contextOf({ signal, deadlineMs, traceId, onProgress }: CallOptions): CallContext {
  return {
    signal: signal ?? new AbortController().signal,
    deadlineAtMs: deadlineMs === undefined ? undefined : Date.now() + deadlineMs,
    traceId: traceId ?? '0'.repeat(32),
    caller: '',
    onProgress,
  }
}
