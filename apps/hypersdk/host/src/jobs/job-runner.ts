import { hypersdkErrors } from '../errors.ts'
import { HookTeller } from './hook-teller.ts'
import { clearRemains, type JobSurroundings } from './job-attempt.ts'
import type { AcceptedJob } from './job-intake.ts'
import type { JobEnding } from './job-ledger.ts'
import { JobQueue, type Waiting } from './job-queue.ts'
import { cancelled, interrupted, isStoreFailure, takeTurn, verdict } from './job-turn.ts'
import { isFinal, type Job } from './job.ts'
import { settledBefore } from './settled-before.ts'
import { StorePause } from './store-pause.ts'

/** Longest a timer can wait; beyond that it would fire at once, ms. */
const longestTimerMs = 2 ** 31 - 1
/** When to try again after the queue was full; for `Retry-After`, s. */
const queueRetrySeconds = 10

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
  readonly #hooks: HookTeller
  readonly #queue = new JobQueue()
  readonly #pause: StorePause
  readonly #running = new Map<string, Running>()
  /** Work after a job's end: hooks, clearing up. */
  readonly #tasks = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #state: 'new' | 'open' | 'closed' = 'new'

  constructor(around: JobSurroundings, { pauseMs }: { readonly pauseMs?: number } = {}) {
    this.#around = around
    this.#hooks = new HookTeller(around)
    this.#pause = new StorePause(pauseMs)
  }

  get accepting(): boolean {
    return this.#state === 'open'
  }

  /** Takes up the jobs an earlier daemon left, tells hooks what it still owed them, then begins to run. */
  start(): void {
    if (this.#state !== 'new') return
    this.#state = 'open'
    this.#track(this.#hooks.tellOwed())
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
    const later = { details: { seconds: queueRetrySeconds } }
    if (this.#pause.leftMs(Date.now()) > 0) {
      throw hypersdkErrors.error('JOB_STORE_FAILED', { reason: 'an earlier change failed' }, later)
    }
    if (this.#queue.size + accepted.length > exports.maxQueued) {
      throw hypersdkErrors.error('JOB_QUEUE_FULL', { limit: exports.maxQueued }, later)
    }
    const known = accepted.find(({ definition }) => ledger.find(definition.id) !== undefined)
    if (known !== undefined) throw hypersdkErrors.error('JOB_EXISTS', { id: known.definition.id })
    const jobs = ledger.add(accepted.map((one) => one.definition))
    this.#pause.worked()
    for (const { definition, warnings } of accepted) {
      for (const warning of warnings) ledger.log(definition.id, 'warn', warning)
      this.#queue.add({ id: definition.id, provider: definition.provider, dueAtMs: 0 })
    }
    this.#pump()
    return jobs
  }

  /**
   * Cancels a job. One that waits ends at once; a running one ends when its export has cleared up. One whose export is
   * complete ends well, also when the daemon died since. Errors: `JOB_UNKNOWN`, `JOB_FINISHED`, `JOB_FINISHING`,
   * `JOB_STORE_FAILED`.
   */
  cancel(id: string): void {
    const job = this.#around.ledger.get(id)
    if (isFinal(job.status)) throw hypersdkErrors.error('JOB_FINISHED', { id, status: job.status })
    if (job.cancel_requested) return
    const running = this.#running.get(id)
    if (running?.decided === true || job.manifest !== null) throw hypersdkErrors.error('JOB_FINISHING', { id })
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
    this.#close()
    const deadline = AbortSignal.any([AbortSignal.timeout(drainMs), ...(hurry === undefined ? [] : [hurry])])
    await settledBefore(
      [...this.#running.values()].map((one) => one.done),
      deadline,
    )
    for (const running of this.#running.values()) running.controller.abort(interrupted)
    await Promise.all([...this.#running.values()].map((one) => one.done))
    await Promise.all(this.#tasks)
  }

  /**
   * For a process about to end: leaves running exports as they are, for the next start to take up without counting it
   * as a crash. Does not wait for anything.
   */
  leave(): void {
    this.#close()
    for (const id of this.#running.keys()) {
      try {
        this.#around.ledger.log(id, 'info', 'left because the daemon stops at once; it starts again with the daemon')
        this.#around.ledger.change(id, { status: 'pending' })
      } catch (error) {
        // Then it counts as a crash, which it is not worth staying for.
        if (!isStoreFailure(error)) throw error
      }
    }
  }

  /** Ids of the plugins that running jobs are at. */
  plugins(): readonly string[] {
    return [...this.#running.keys()].flatMap((id) => this.#around.ledger.find(id)?.plugin?.id ?? [])
  }

  #close(): void {
    this.#state = 'closed'
    clearTimeout(this.#timer)
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
    const ending = verdict(current, exports.maxCrashes)
    if (ending !== undefined) this.#giveUp(current, ending)
    else this.#queue.add({ ...waitingOf(job), dueAtMs: Date.parse(job.next_attempt_at ?? '') || 0 })
  }

  /** Starts what may start now, and wakes again when the next waiting job is due. */
  #pump(): void {
    if (this.#state !== 'open') return
    clearTimeout(this.#timer)
    const now = Date.now()
    const pausedMs = this.#pause.leftMs(now)
    if (pausedMs === 0) {
      for (const one of this.#queue.due(now)) {
        if (this.#running.size >= this.#around.exports.maxConcurrent) break
        if (!this.#hasRoom(this.#typeOf(one.provider))) continue
        this.#queue.remove(one.id)
        this.#launch(one)
        if (this.#pause.isDoubtful) break
      }
    }
    const nextDueMs = pausedMs === 0 ? this.#queue.nextDueMs(now) : now + pausedMs
    if (nextDueMs !== undefined) this.#timer = setTimeout(() => this.#pump(), Math.min(nextDueMs - now, longestTimerMs))
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
    const done = this.#orWait(waiting, () => this.#run(waiting, controller.signal)).finally(() => {
      this.#running.delete(id)
      this.#pump()
    })
    this.#running.set(id, { controller, type: this.#typeOf(provider), done, decided: false })
  }

  async #run(waiting: Waiting, signal: AbortSignal): Promise<void> {
    const { id } = waiting
    const onDecided = (): void => {
      const running = this.#running.get(id)
      if (running !== undefined) running.decided = true
    }
    const result = await takeTurn(id, this.#around, { signal, onBegun: () => this.#pause.worked(), onDecided })
    if (result.kind === 'ended') this.#end(id, result.ending)
    else if (result.kind === 'retry') this.#queue.addFirst({ ...waiting, dueAtMs: result.dueAtMs })
  }

  /** Ends a job that does not run; one that ran before has its remains cleared first. */
  #giveUp(job: Job, ending: JobEnding): void {
    const { id } = job.definition
    this.#queue.remove(id)
    const end = async (): Promise<void> => {
      if (job.attempts > 0) await clearRemains(job, this.#around)
      this.#end(id, ending)
    }
    this.#track(this.#orWait(waitingOf(job), end))
  }

  #end(id: string, ending: JobEnding): void {
    const outcome = this.#around.ledger.end(id, ending)
    this.#pause.worked()
    this.#track(this.#hooks.tell(outcome))
  }

  /** Does what changes a job. When the change cannot be written down, the job waits, and for a while nothing starts. */
  async #orWait(waiting: Waiting, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isStoreFailure(error)) throw error
      this.#pause.failed()
      this.#around.ledger.suspend(waiting.id)
      this.#queue.addFirst({ ...waiting, dueAtMs: 0 })
      this.#pump()
    }
  }

  #track(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked))
    this.#tasks.add(tracked)
  }
}

function waitingOf({ definition: { id, provider } }: Job): Waiting {
  return { id, provider, dueAtMs: 0 }
}
