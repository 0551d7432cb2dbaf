import type { PlatformError } from '@backplane/sdk'
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
}

/**
 * Runs queued jobs, oldest first, as many at once as the daemon and each provider allow. A retryable error queues the
 * job again after a growing delay, a bounded number of times. Jobs outlive the daemon: {@link JobRunner.start} takes up
 * what an earlier one left, and a job that the daemon keeps dying at is given up (`JOB_CRASH_LOOP`).
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

  constructor(around: JobSurroundings) {
    this.#around = around
  }

  get accepting(): boolean {
    return this.#state === 'open'
  }

  /** Takes up the jobs an earlier daemon left, then begins to run. */
  start(): void {
    if (this.#state !== 'new') return
    this.#state = 'open'
    for (const job of this.#around.ledger.unfinished()) this.#takeUp(job)
    this.#pump()
  }

  /**
   * Queues checked jobs; durable when it returns. All or none. Errors: `JOB_NOT_ACCEPTING`, `JOB_QUEUE_FULL`,
   * `JOB_EXISTS`.
   */
  submit(accepted: readonly AcceptedJob[]): readonly Job[] {
    const { ledger, exports } = this.#around
    if (!this.accepting) throw hypersdkErrors.error('JOB_NOT_ACCEPTING')
    if (this.#queue.length + accepted.length > exports.maxQueued) {
      throw hypersdkErrors.error('JOB_QUEUE_FULL', { limit: exports.maxQueued }, { details: { seconds: queueRetrySeconds } })
    }
    const known = accepted.find(({ definition }) => ledger.find(definition.id) !== undefined)
    if (known !== undefined) throw hypersdkErrors.error('JOB_EXISTS', { id: known.definition.id })
    const jobs = ledger.add(accepted.map((one) => one.definition))
    for (const { definition, warnings } of accepted) {
      for (const warning of warnings) ledger.log(definition.id, 'warn', warning)
      this.#queue.push({ id: definition.id, provider: definition.provider, dueAtMs: 0 })
    }
    this.#pump()
    return jobs
  }

  /**
   * Cancels a job. One that waits ends at once; a running one ends when its export has cleared up. Errors:
   * `JOB_UNKNOWN`, `JOB_FINISHED`.
   */
  cancel(id: string): void {
    const job = this.#around.ledger.get(id)
    if (isFinal(job.status)) throw hypersdkErrors.error('JOB_FINISHED', { id, status: job.status })
    if (job.cancel_requested) return
    // Written down before anything stops, so that it stays cancelled if the daemon dies meanwhile.
    const changed = this.#around.ledger.change(id, { cancel_requested: true })
    const running = this.#running.get(id)
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
    const { crashes } = current
    if (current.cancel_requested) this.#giveUp(current, { status: 'cancelled', error: cancelled() })
    else if (crashes >= exports.maxCrashes) {
      this.#giveUp(current, { status: 'failed', error: hypersdkErrors.error('JOB_CRASH_LOOP', { crashes }) })
    } else this.#queue.push({ id, provider: job.definition.provider, dueAtMs: Date.parse(job.next_attempt_at ?? '') || 0 })
  }

  /** Starts what may start now, and wakes again when the next waiting job is due. */
  #pump(): void {
    if (this.#state !== 'open') return
    clearTimeout(this.#timer)
    const now = Date.now()
    const waiting: Waiting[] = []
    for (const one of this.#queue) {
      const full = this.#running.size >= this.#around.exports.maxConcurrent
      if (full || one.dueAtMs > now || !this.#hasRoom(this.#typeOf(one.provider))) waiting.push(one)
      else this.#launch(one)
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

  #launch({ id, provider }: Waiting): void {
    const controller = new AbortController()
    const done = this.#run(id, controller.signal).finally(() => {
      this.#running.delete(id)
      this.#pump()
    })
    this.#running.set(id, { controller, type: this.#typeOf(provider), done })
  }

  async #run(id: string, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#around
    const job = ledger.get(id)
    const now = new Date().toISOString()
    const change = {
      status: 'running',
      attempts: job.attempts + 1,
      started_at: job.started_at ?? now,
      next_attempt_at: null,
    } as const
    const running = ledger.change(id, { ...change, error: null, failure: null })
    try {
      const result = await attemptJob(running, this.#around, signal)
      this.#end(id, { status: 'completed', result })
    } catch (error) {
      this.#settleFailure(id, error, signal)
    }
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
    if (job.attempts === 0) return this.#end(id, ending)
    this.#track(clearRemains(job, this.#around).then(() => this.#end(id, ending)))
  }

  #end(id: string, ending: JobEnding): void {
    const job = this.#around.ledger.end(id, ending)
    const { status } = ending
    const result = ending.status === 'completed' ? ending.result : null
    this.#track(tellHooks(this.#around, { job_id: id, status, result, error: job.error }))
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
