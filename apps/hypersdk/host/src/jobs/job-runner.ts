import { PlatformError } from '@backplane/sdk'
import { afterExport, type ExportOutcome } from '@hypersdk/points'
import { hypersdkErrors } from '../errors.ts'
import { attemptJob, clearRemains, type JobSurroundings } from './job-attempt.ts'
import type { AcceptedJob } from './job-intake.ts'
import { asPlatformError, type JobEnding } from './job-ledger.ts'
import { isFinal, type Job } from './job.ts'
import { retryDelayMs } from './retry-delay.ts'

/** Longest a timer can wait; beyond that it would fire at once, ms. */
const longestTimerMs = 2 ** 31 - 1
/** When to try again after the queue was full; for `Retry-After`, s. */
const queueRetrySeconds = 10

/** For how long nothing starts after the store could not be written, ms. */
const defaultPauseMs = 5_000

/** Why a running export was stopped without being given up; it starts again with the daemon. */
const interrupted = Symbol('interrupted')

interface Waiting {
  readonly id: string
  /** Type or instance, as the job names it. */
  readonly provider: string
  /** Not before; 0 for at once. */
  readonly dueAtMs: number
}

interface Running {
  readonly controller: AbortController
  readonly type: string
  readonly done: Promise<void>
  /** Its files are getting their names: too late to cancel. */
  decided: boolean
}

/**
 * Runs queued jobs, oldest first, as many at once as the daemon and each provider allow. A retryable error queues the
 * job again after a growing delay, a bounded number of times. Jobs outlive the daemon: {@link JobRunner.start} takes up
 * what an earlier one left, and a job that the daemon keeps dying at is given up (`JOB_CRASH_LOOP`). A job whose change
 * cannot be written down waits; after a pause one is tried at a time until a write succeeds.
 */
export class JobRunner {
  readonly #around: JobSurroundings
  /** Oldest first. */
  #queue: Waiting[] = []
  readonly #running = new Map<string, Running>()
  /** Work after a job's end: hooks, clearing up. */
  readonly #tasks = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #state: 'new' | 'open' | 'closed' = 'new'

  readonly #pauseMs: number
  /** 0 when the last change could be written down. */
  #pausedUntilMs = 0

  constructor(around: JobSurroundings, { pauseMs = defaultPauseMs }: { readonly pauseMs?: number } = {}) {
    this.#around = around
    this.#pauseMs = pauseMs
  }

  get accepting(): boolean {
    return this.#state === 'open'
  }

  /** Takes up the jobs an earlier daemon left, then begins to run. */
  start(): void {
    if (this.#state !== 'new') return
    this.#state = 'open'
    for (const job of this.#around.ledger.unfinished()) {
      this.#track(this.#orWait(waitingOf(job), async () => this.#takeUp(job)))
    }
    this.#pump()
  }

  /**
   * Queues checked jobs; durable when it returns. All or none. Errors: `JOB_NOT_ACCEPTING`, `JOB_QUEUE_FULL`,
   * `JOB_EXISTS`, `JOB_STORE_FAILED`.
   */
  submit(accepted: readonly AcceptedJob[]): readonly Job[] {
    const { ledger, exports } = this.#around
    if (!this.accepting) throw hypersdkErrors.error('JOB_NOT_ACCEPTING')
    if (Date.now() < this.#pausedUntilMs) {
      throw hypersdkErrors.error(
        'JOB_STORE_FAILED',
        { reason: 'an earlier change failed' },
        { details: { seconds: queueRetrySeconds } },
      )
    }
    if (this.#queue.length + accepted.length > exports.maxQueued) {
      throw hypersdkErrors.error('JOB_QUEUE_FULL', { limit: exports.maxQueued }, { details: { seconds: queueRetrySeconds } })
    }
    const known = accepted.find(({ definition }) => ledger.find(definition.id) !== undefined)
    if (known !== undefined) throw hypersdkErrors.error('JOB_EXISTS', { id: known.definition.id })
    const jobs = ledger.add(accepted.map((one) => one.definition))
    this.#pausedUntilMs = 0
    for (const { definition, warnings } of accepted) {
      for (const warning of warnings) ledger.log(definition.id, 'warn', warning)
      this.#queue.push({ id: definition.id, provider: definition.provider, dueAtMs: 0 })
    }
    this.#pump()
    return jobs
  }

  /**
   * Cancels a job. One that waits ends at once; a running one ends when its export has cleared up. Errors:
   * `JOB_UNKNOWN`, `JOB_FINISHED`, `JOB_FINISHING`, `JOB_STORE_FAILED`.
   */
  cancel(id: string): void {
    const job = this.#around.ledger.get(id)
    if (isFinal(job.status)) throw hypersdkErrors.error('JOB_FINISHED', { id, status: job.status })
    if (job.cancel_requested) return
    const running = this.#running.get(id)
    if (running?.decided === true) throw hypersdkErrors.error('JOB_FINISHING', { id })
    // Written down before anything stops, so that it stays cancelled if the daemon dies meanwhile.
    const changed = this.#around.ledger.change(id, { cancel_requested: true })
    if (running !== undefined) running.controller.abort(cancelled())
    else this.#giveUp(changed, { status: 'cancelled', error: cancelled() })
  }

  /**
   * Stops: nothing new starts; running exports have until `drainMs` (or until `hurry` aborts), then they are
   * interrupted and stay queued for the next start. Settles when nothing runs any more. Idempotent.
   */
  async stop(drainMs: number, hurry?: AbortSignal): Promise<void> {
    this.#state = 'closed'
    clearTimeout(this.#timer)
    const deadline = AbortSignal.any([AbortSignal.timeout(drainMs), ...(hurry === undefined ? [] : [hurry])])
    await settled(
      [...this.#running.values()].map((one) => one.done),
      deadline,
    )
    for (const running of this.#running.values()) running.controller.abort(interrupted)
    await Promise.all([...this.#running.values()].map((one) => one.done))
    await Promise.all(this.#tasks)
  }

  #takeUp(job: Job): void {
    const { ledger, exports } = this.#around
    const { id } = job.definition
    let current = job
    if (job.status === 'running') {
      const crashes = job.crashes + 1
      ledger.log(id, 'warn', `the daemon died while this job ran (${crashes} of ${exports.maxCrashes} times)`)
      current = ledger.change(id, { status: 'pending', crashes })
    }
    const ending = this.#verdict(current)
    if (ending !== undefined) this.#giveUp(current, ending)
    else this.#queue.push({ ...waitingOf(job), dueAtMs: Date.parse(job.next_attempt_at ?? '') || 0 })
  }

  /** How a job ends that is not to run again. */
  #verdict({ cancel_requested, crashes }: Job): JobEnding | undefined {
    if (cancel_requested) return { status: 'cancelled', error: cancelled() }
    if (crashes < this.#around.exports.maxCrashes) return undefined
    return { status: 'failed', error: hypersdkErrors.error('JOB_CRASH_LOOP', { crashes }) }
  }

  /** Starts what may start now, and wakes again when the next waiting job is due. */
  #pump(): void {
    if (this.#state !== 'open') return
    clearTimeout(this.#timer)
    const now = Date.now()
    if (now < this.#pausedUntilMs) {
      this.#timer = setTimeout(() => this.#pump(), this.#pausedUntilMs - now)
      return
    }
    const doubtful = this.#pausedUntilMs > 0
    let tried = false
    const waiting: Waiting[] = []
    for (const one of this.#queue) {
      const full = (doubtful && tried) || this.#running.size >= this.#around.exports.maxConcurrent
      if (full || one.dueAtMs > now || !this.#hasRoom(this.#typeOf(one.provider))) waiting.push(one)
      else {
        tried = true
        this.#launch(one)
      }
    }
    this.#queue = waiting
    const nextDueMs = Math.min(...waiting.map((one) => one.dueAtMs).filter((dueAtMs) => dueAtMs > now))
    if (nextDueMs !== Infinity) this.#timer = setTimeout(() => this.#pump(), Math.min(nextDueMs - now, longestTimerMs))
  }

  #hasRoom(type: string): boolean {
    const limit = this.#around.providers.maxConcurrentExports(type)
    return limit === undefined || [...this.#running.values()].filter((one) => one.type === type).length < limit
  }

  /** The provider may be gone by now; then the attempt says so. */
  #typeOf(provider: string): string {
    try {
      return this.#around.providers.resolve(provider).type
    } catch {
      return provider
    }
  }

  #launch(waiting: Waiting): void {
    const { id, provider } = waiting
    const controller = new AbortController()
    const done = this.#orWait(waiting, () => this.#run(id, controller.signal)).finally(() => {
      this.#running.delete(id)
      this.#pump()
    })
    this.#running.set(id, { controller, type: this.#typeOf(provider), done, decided: false })
  }

  async #run(id: string, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#around
    const job = ledger.get(id)
    const ending = this.#verdict(job)
    if (ending !== undefined) {
      await clearRemains(job, this.#around)
      return this.#end(id, ending)
    }
    const now = new Date().toISOString()
    const change = {
      status: 'running',
      attempts: job.attempts + 1,
      started_at: job.started_at ?? now,
      next_attempt_at: null,
    } as const
    const running = ledger.change(id, { ...change, error: null, failure: null })
    this.#pausedUntilMs = 0
    try {
      const result = await attemptJob(running, this.#around, { signal, onDecided: () => this.#decide(id) })
      this.#end(id, { status: 'completed', result })
    } catch (error) {
      this.#settleFailure(id, error, signal)
    }
  }

  #decide(id: string): void {
    const running = this.#running.get(id)
    if (running !== undefined) running.decided = true
  }

  #settleFailure(id: string, thrown: unknown, signal: AbortSignal): void {
    const { ledger, exports } = this.#around
    const job = ledger.get(id)
    if (job.cancel_requested) return this.#end(id, { status: 'cancelled', error: cancelled() })
    if (signal.reason === interrupted) {
      ledger.log(id, 'info', 'interrupted because the daemon stops; it starts again with the daemon')
      ledger.change(id, { status: 'pending' })
      return
    }
    if (isStoreFailure(thrown)) throw thrown
    const error = asPlatformError(thrown)
    const retries = job.retries + 1
    if (!error.retryable || retries >= exports.maxAttempts) return this.#end(id, { status: 'failed', error })
    const dueAt = new Date(Date.now() + retryDelayMs(exports.retryDelayMs, job.retries)).toISOString()
    ledger.log(id, 'warn', `try ${retries} of ${exports.maxAttempts} failed, the next is due at ${dueAt}: ${error.message}`)
    ledger.change(id, { ...ledger.failure(error), status: 'pending', retries, next_attempt_at: dueAt })
    this.#queue.unshift({ id, provider: job.definition.provider, dueAtMs: Date.parse(dueAt) })
  }

  /** Ends a job that does not run; one that ran before has its remains cleared first. */
  #giveUp(job: Job, ending: JobEnding): void {
    const { id } = job.definition
    this.#queue = this.#queue.filter((one) => one.id !== id)
    const end = async (): Promise<void> => {
      if (job.attempts > 0) await clearRemains(job, this.#around)
      this.#end(id, ending)
    }
    this.#track(this.#orWait(waitingOf(job), end))
  }

  #end(id: string, ending: JobEnding): void {
    const job = this.#around.ledger.end(id, ending)
    this.#pausedUntilMs = 0
    const { status } = ending
    const result = ending.status === 'completed' ? ending.result : null
    this.#track(tellHooks(this.#around, { job_id: id, status, result, error: job.error }))
  }

  /** Does what changes a job. When the change cannot be written down, the job waits, and for a while nothing starts. */
  async #orWait(waiting: Waiting, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isStoreFailure(error)) throw error
      this.#pausedUntilMs = Date.now() + this.#pauseMs
      this.#around.ledger.suspend(waiting.id)
      this.#queue.unshift({ ...waiting, dueAtMs: 0 })
      this.#pump()
    }
  }

  #track(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked))
    this.#tasks.add(tracked)
  }
}

async function tellHooks({ kernel, ledger }: JobSurroundings, outcome: ExportOutcome): Promise<void> {
  try {
    const { failures } = await kernel.emit(afterExport, outcome)
    for (const one of failures) ledger.log(outcome.job_id, 'warn', `${one.plugin} failed in after-export: ${one.message}`)
  } catch (error) {
    ledger.log(outcome.job_id, 'warn', `the after-export hooks failed: ${asPlatformError(error).message}`)
  }
}

function waitingOf({ definition: { id, provider } }: Job): Waiting {
  return { id, provider, dueAtMs: 0 }
}

function isStoreFailure(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'JOB_STORE_FAILED'
}

function cancelled(): PlatformError {
  return hypersdkErrors.error('JOB_CANCELLED')
}

/** Waits for all of them, or until the signal aborts. */
async function settled(promises: readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  if (signal.aborted || promises.length === 0) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = (): void => resolve()
  signal.addEventListener('abort', stop, { once: true })
  await Promise.race([Promise.all(promises), promise])
  signal.removeEventListener('abort', stop)
}
