import type { CallContext, Contribution, ExitCause, Instance, OpenedInstance, Target, Usage } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import { settledWithin } from '../session-link/settled-within.ts'
import type { Guest } from '../guest/start-guest.ts'

/**
 * One generation in the host's own process: calls are the plugin's functions themselves. A call settles when the plugin
 * settles it; a caller who does not want to wait for a plugin that ignores its signal has to leave by himself, which the
 * kernel's dispatcher does.
 */
export class TrustedInstance implements Instance {
  readonly tier = 'trusted'
  readonly pid: number = process.pid
  readonly exited: Promise<ExitCause>
  readonly #plugin: string
  readonly #guest: Guest
  readonly #settleExited: (cause: ExitCause) => void
  #stopped: Promise<void> | undefined

  constructor(plugin: string, guest: Guest) {
    this.#plugin = plugin
    this.#guest = guest
    const { promise, resolve } = Promise.withResolvers<ExitCause>()
    this.exited = promise
    this.#settleExited = resolve
  }

  get contributions(): readonly Contribution[] {
    return this.#guest.contributions
  }

  call(target: Target, value: unknown, context: CallContext): Promise<unknown> {
    if (this.#stopped !== undefined) return Promise.reject(this.#gone())
    return this.#guest.invoker.call(target, value, context)
  }

  async *stream(target: Target, value: unknown, context: CallContext): AsyncGenerator {
    if (this.#stopped !== undefined) throw this.#gone()
    yield* this.#guest.invoker.stream(target, value, context)
  }

  async open(target: Target, options: unknown, context: CallContext): Promise<OpenedInstance> {
    if (this.#stopped !== undefined) throw this.#gone()
    return this.#guest.invoker.open(target, options, context)
  }

  async close(target: Target): Promise<void> {
    if (this.#stopped === undefined) await this.#guest.invoker.close(target)
  }

  async ping(): Promise<void> {
    if (this.#stopped !== undefined) throw this.#gone()
  }

  health(deadlineMs: number): Promise<void> {
    return this.#within(deadlineMs, () => this.#guest.life.health())
  }

  /** It shares the host's process: nothing it uses can be told apart. */
  async usage(): Promise<Usage> {
    return unknownUsage
  }

  snapshot(deadlineMs: number): Promise<unknown> {
    return this.#within(deadlineMs, async () => structuredClone(await this.#guest.life.snapshot()))
  }

  restore(value: unknown, deadlineMs: number): Promise<void> {
    return this.#within(deadlineMs, () => this.#guest.life.restore(value))
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#guest.stop(graceMs).then(() => this.#settleExited({ kind: 'stopped' }))
    return this.#stopped
  }

  async #within<T>(deadlineMs: number, ask: () => Promise<T>): Promise<T> {
    await this.ping()
    const answer = ask()
    if (await settledWithin(answer, deadlineMs)) return answer
    throw new DOMException(`${this.#plugin} did not answer within ${deadlineMs} ms`, 'TimeoutError')
  }

  #gone(): Error {
    return runtimeErrors.error('RUNTIME_EXITED', { plugin: this.#plugin, cause: 'it was stopped' }, { plugin: this.#plugin })
  }
}

const unknownUsage: Usage = {
  cpuMs: undefined,
  memoryBytes: undefined,
  heapBytes: undefined,
  processes: undefined,
  openFiles: undefined,
  stallMs: undefined,
}
