import type {
  CallContext,
  Contribution,
  ExitCause,
  Instance,
  Invoker,
  NetworkUse,
  OpenedInstance,
  ProfileKind,
  ProfileOptions,
  Target,
  Usage,
  UseVerb,
} from '@backplane/kernel'
import { isSessionClosed, type Session, type SessionEnd } from '@backplane/rpc'
import type { Directories, Tier } from '@backplane/sdk'
import { boundedProfile, type ProfileLimits } from '../profile/bounded-profile.ts'
import { exitedError } from './exited-error.ts'
import type { GuestBody } from './guest-body.ts'
import { eventLoopRuns } from './event-loop-runs.ts'
import { invokerOverSession } from './invoker-over-session.ts'
import { settledWithin } from './settled-within.ts'
import { usageFrom } from './usage-from.ts'

/** How long a body may take to end by itself once its session is over, ms. */
const endMs = 500
/** How long after being asked it is killed, ms. */
const killMs = 250

/** Ends of a session whose other side only wanted to keep this one busy. */
const floods: ReadonlySet<string> = new Set(['RPC_FLOOD', 'RPC_TOO_FAR_AHEAD'])

/** What a {@link SessionInstance} is made of. */
export interface SessionInstanceParts {
  readonly tier: Tier
  readonly plugin: string
  readonly body: GuestBody
  readonly session: Session
  readonly directories: Directories
  /** Longest its event loop may stand still once a call was given up, ms. Default 10,000. */
  readonly hangMs?: number | undefined
  readonly profileLimits?: Partial<ProfileLimits> | undefined
  /** What went to the network through the host. */
  readonly network?: (() => NetworkUse) | undefined
  readonly tellsUse?: readonly UseVerb[] | undefined
}

/** One generation behind a session. It owns the session and the body: both end together, whichever ends first. */
export class SessionInstance implements Instance {
  readonly tier: Tier
  readonly pid: number
  readonly directories: Directories
  readonly exited: Promise<ExitCause>
  readonly tellsUse: readonly UseVerb[]
  contributions: readonly Contribution[] = []
  readonly #plugin: string
  readonly #body: GuestBody
  readonly #session: Session
  readonly #invoker: Invoker
  readonly #hangMs: number
  readonly #profileLimits: Partial<ProfileLimits> | undefined
  readonly #network: (() => NetworkUse) | undefined
  #stopping: Promise<void> | undefined
  #probing = false
  #hang: string | undefined

  constructor(parts: SessionInstanceParts) {
    const { tier, plugin, body, session, directories, hangMs = 10_000, network, tellsUse = [], profileLimits } = parts
    this.tier = tier
    this.pid = body.pid
    this.directories = directories
    this.tellsUse = tellsUse
    this.#plugin = plugin
    this.#body = body
    this.#session = session
    this.#hangMs = hangMs
    this.#profileLimits = profileLimits
    this.#network = network
    this.#invoker = invokerOverSession(session)
    this.exited = this.#watch()
  }

  call(target: Target, value: unknown, context: CallContext): Promise<unknown> {
    return this.#invoker.call(target, value, context).catch((error: unknown) => this.#failed(error, context))
  }

  async *stream(target: Target, value: unknown, context: CallContext): AsyncGenerator {
    try {
      yield* this.#invoker.stream(target, value, context)
    } catch (error) {
      await this.#failed(error, context)
    }
  }

  open(target: Target, options: unknown, context: CallContext): Promise<OpenedInstance> {
    return this.#invoker.open(target, options, context).catch((error: unknown) => this.#failed(error, context))
  }

  close(target: Target): Promise<void> {
    return this.#invoker.close(target).catch(this.#explain)
  }

  ping(deadlineMs: number): Promise<void> {
    return this.#session.ping(deadlineMs).catch(this.#explain)
  }

  async health(deadlineMs: number): Promise<void> {
    await this.#ask('health', undefined, deadlineMs)
  }

  async usage(deadlineMs: number): Promise<Usage> {
    const told = this.#ask('usage', undefined, deadlineMs)
    if (this.#body.measure === undefined) return usageFrom(await told)
    // What is seen from outside is there even when the guest does not answer; seen after the answer, however late that
    // comes, so that the sample is of the moment it is taken for.
    const answer = await told.catch(() => undefined)
    const { cpuMs, memoryBytes, processes, openFiles } = await this.#body.measure()
    if (processes === 0) return usageFrom(await told)
    return { ...usageFrom(answer), cpuMs, memoryBytes, processes, openFiles, network: this.#network?.() }
  }

  async *profile(kind: ProfileKind, options: ProfileOptions): AsyncGenerator<Uint8Array> {
    const { durationMs } = options
    const ask = (signal: AbortSignal): AsyncIterable<unknown> =>
      this.#body.profile?.(kind, { durationMs, signal }) ?? this.#session.stream('profile', { kind, durationMs }, { signal })
    try {
      yield* boundedProfile({ plugin: this.#plugin, options, ask, limits: this.#profileLimits })
    } catch (error) {
      await this.#explain(error)
    }
  }

  snapshot(deadlineMs: number): Promise<unknown> {
    return this.#ask('snapshot', undefined, deadlineMs)
  }

  async restore(value: unknown, deadlineMs: number): Promise<void> {
    await this.#ask('restore', value, deadlineMs)
  }

  abandoned(forMs: number): number {
    return this.#session.abandoned(forMs)
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  /** Sends `start` and takes what it answers as the contributions. Errors: what the guest threw; `RUNTIME_EXITED`. */
  async start(request: unknown, signal: AbortSignal): Promise<unknown> {
    return this.#session.call('start', request, { signal }).catch(this.#explain)
  }

  /** Asks the guest about itself. */
  #ask(target: string, value: unknown, deadlineMs: number): Promise<unknown> {
    return this.#session.call(target, value, { deadlineAtMs: Date.now() + deadlineMs }).catch(this.#explain)
  }

  async #stop(graceMs: number): Promise<void> {
    // nobody is asked: it is not waited for a session whose other side may not read any more
    if (graceMs <= 0) this.#body.kill()
    const asked = graceMs > 0 && (await this.#askToStop(graceMs))
    await this.#session[Symbol.asyncDispose]()
    if (asked && (await settledWithin(this.#body.ended, endMs))) return void (await this.exited)
    if (graceMs > 0) {
      this.#body.ask()
      await settledWithin(this.#body.ended, killMs)
    }
    this.#body.kill()
    await this.exited
  }

  async #askToStop(graceMs: number): Promise<boolean> {
    try {
      // The guest gets less, so that its answer is here in time.
      await this.#session.call('stop', graceMs * 0.8, { deadlineAtMs: Date.now() + graceMs })
      return true
    } catch (error) {
      if (!isSessionClosed(error))
        this.#body.output.log({ level: 'warn', message: `did not stop within ${graceMs} ms and is killed` })
      return false
    }
  }

  async #watch(): Promise<ExitCause> {
    const sessionOver = this.#endBodyAfterSession()
    const cause = await this.#body.ended
    const stopped = this.#stopping !== undefined
    await this.#session[Symbol.asyncDispose]()
    const sessionEnd = await sessionOver
    this.#body.output.finish()
    if (stopped) return { kind: 'stopped' }
    if (this.#hang !== undefined && 'lastLines' in cause) return { kind: 'hang', detail: this.#hang, lastLines: cause.lastLines }
    if (sessionEnd.kind !== 'violated' || !('lastLines' in cause)) return cause
    const { code, message: detail } = sessionEnd.error
    const { lastLines } = cause
    return floods.has(code) ? { kind: 'limit', limit: 'output', detail, lastLines } : { kind: 'protocol', detail, lastLines }
  }

  async #endBodyAfterSession(): Promise<SessionEnd> {
    const end = await this.#session.ended
    const endsByItself = end.kind !== 'violated' && (await settledWithin(this.#body.ended, endMs))
    if (!endsByItself) this.#body.kill()
    return end
  }

  /** Whoever gave a call up may have left the guest in an endless loop, where every later caller would wait in vain. */
  #failed(error: unknown, { signal, cancellation = signal, deadlineAtMs = Infinity }: CallContext): Promise<never> {
    if (!this.#probing && (cancellation.aborted || deadlineAtMs <= Date.now())) void this.#endIfHung()
    return this.#explain(error)
  }

  async #endIfHung(): Promise<void> {
    this.#probing = true
    const runs = await eventLoopRuns(this.#session, this.#hangMs)
    this.#probing = false
    if (runs || this.#stopping !== undefined) return
    this.#hang = `its event loop stood still for ${this.#hangMs} ms after a call was given up`
    this.#body.kill()
  }

  /** A call that ended with the session is told why the plugin is gone; any other error is the caller's as it is. */
  readonly #explain = async (error: unknown): Promise<never> => {
    if (!isSessionClosed(error)) throw error
    throw exitedError(this.#plugin, await this.exited, error)
  }
}
