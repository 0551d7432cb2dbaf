import type { CallContext, HostLink, LimitName, OpenedInstance, PluginLogLine, Target, Use, Violation } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'

/** A call a plugin made to its host. */
export interface RecordedCall {
  readonly what: 'call' | 'stream' | 'open' | 'close' | 'emit'
  readonly target: Target | string
  readonly value: unknown
  readonly caller: string | undefined
  readonly traceId: string | undefined
}

/** A host for runtimes under test: keeps state in memory, answers calls with what they were given, records everything. */
export class RecordingHost implements HostLink {
  readonly lines: PluginLogLine[] = []
  readonly calls: RecordedCall[] = []
  readonly violations: Violation[] = []
  readonly uses: Use[] = []
  /** Whether a runtime said that uses were left out. */
  isUntold = false
  readonly #values = new Map<string, unknown>()
  readonly #waiting = new Set<(line: PluginLogLine) => void>()
  readonly #waitingForViolation = new Set<(violation: Violation) => void>()

  readonly state: HostLink['state'] = {
    get: async (key) => this.#values.get(key),
    set: async (key, value) => {
      if (key === 'large') throw new PlatformError('STATE_QUOTA_EXCEEDED', 'too much', { retryable: false })
      this.#values.set(key, value)
    },
    delete: async (key) => {
      this.#values.delete(key)
    },
    keys: async (prefix) => [...this.#values.keys()].filter((key) => key.startsWith(prefix)).toSorted(),
  }

  readonly log = (line: PluginLogLine): void => {
    this.lines.push(line)
    for (const wake of this.#waiting) wake(line)
  }

  readonly violated = (violation: Violation): void => {
    this.violations.push(violation)
    for (const wake of this.#waitingForViolation) wake(violation)
  }

  readonly used = (use: Use): void => void this.uses.push(use)

  readonly untold = (): void => void (this.isUntold = true)

  /** Settles with the first violation of a limit, told by now or later. */
  violation(limit: LimitName): Promise<Violation> {
    const matches = (violation: Violation): boolean => violation.kind === 'limit' && violation.limit === limit
    const known = this.violations.find(matches)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve) => {
      this.#waitingForViolation.add((violation) => {
        if (matches(violation)) resolve(violation)
      })
    })
  }

  readonly secret = async (name: string): Promise<string> => {
    if (name === 'token') return 's3cret'
    throw new PlatformError('SECRET_NOT_GRANTED', `${name} is not for you`)
  }

  /** Settles with the first line, written by now or later, whose message is `message`. */
  line(message: string): Promise<PluginLogLine> {
    const known = this.lines.find((line) => line.message === message)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve) => {
      const wake = (line: PluginLogLine): void => {
        if (line.message !== message) return
        this.#waiting.delete(wake)
        resolve(line)
      }
      this.#waiting.add(wake)
    })
  }

  async call(target: Target, value: unknown, context: CallContext): Promise<unknown> {
    this.#record('call', target, value, context)
    return target.method === 'add' ? 40 + Number(value) : value
  }

  async *stream(target: Target, value: unknown, context: CallContext): AsyncGenerator {
    this.#record('stream', target, value, context)
    for (let at = 1; at <= Number(value); at++) yield at
  }

  async open(target: Target, options: unknown, context: CallContext): Promise<OpenedInstance> {
    this.#record('open', target, options, context)
    return { instance: 7, methods: ['add'] }
  }

  async close(target: Target): Promise<void> {
    this.#record('close', target, undefined)
  }

  async emit(point: string, value: unknown, context: CallContext): Promise<unknown> {
    this.#record('emit', point, value, context)
    return { value: `heard ${String(value)}` }
  }

  #record(what: RecordedCall['what'], target: Target | string, value: unknown, context?: CallContext): void {
    this.calls.push({ what, target, value, caller: context?.caller, traceId: context?.traceId })
  }
}
