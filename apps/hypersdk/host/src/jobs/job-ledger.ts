import { PlatformError, type LogLevel } from '@backplane/sdk'
import type { ExportOutcome, ExportResult } from '@hypersdk/points'
import { hypersdkErrors } from '../errors.ts'
import type { Redactor } from '../secrets/redactor.ts'
import type { JobDefinition } from './job-definition.ts'
import { JobFeed } from './job-feed.ts'
import { jobResult, type Job, type JobLogLine, type JobProgress } from './job.ts'
import type { JobQuery, JobStore } from './job-store.ts'

/** Progress is written down at most this often; a change of phase at once. */
const saveProgressMs = 1000

/** The members of a job that change during its life. */
export type JobChange = Partial<Omit<Job, 'updated_at'>>

/** How a job ended. */
export type JobEnding =
  | { readonly status: 'completed'; readonly result: ExportResult }
  | { readonly status: 'failed' | 'cancelled'; readonly error: PlatformError }

/**
 * The truth about jobs: every change goes through here, is written down, and is told to those who look on. Where the
 * store cannot be written, progress and log lines are lost, and a change fails with `JOB_STORE_FAILED`.
 */
export class JobLedger {
  readonly feed: JobFeed = new JobFeed()
  readonly #store: JobStore
  readonly #redactor: Redactor
  /** Jobs that run: newer than the store by the progress not yet written. */
  readonly #live = new Map<string, { job: Job; savedAtMs: number }>()

  readonly #onFailure: (error: PlatformError) => void
  readonly #onEnd: (job: Job) => void
  #toldFailure = false

  /**
   * `onFailure` hears once that the store cannot be written, and again only after a change was; `onEnd` of each job that has
   * ended for good. Neither may throw.
   */
  constructor(
    store: JobStore,
    redactor: Redactor,
    onFailure: (error: PlatformError) => void = () => {},
    onEnd: (job: Job) => void = () => {},
  ) {
    this.#store = store
    this.#redactor = redactor
    this.#onFailure = onFailure
    this.#onEnd = onEnd
  }

  /** Adds new jobs, all or none. Errors: `JOB_STORE_FAILED`. */
  add(definitions: readonly JobDefinition[]): readonly Job[] {
    const jobs = definitions.map((definition) => newJob(definition))
    this.#written(() => this.#store.insert(jobs))
    return jobs
  }

  find(id: string): Job | undefined {
    return this.#live.get(id)?.job ?? this.#store.get(id)
  }

  /** Errors: `JOB_UNKNOWN`. */
  get(id: string): Job {
    const job = this.find(id)
    if (job === undefined) throw hypersdkErrors.error('JOB_UNKNOWN', { id })
    return job
  }

  query(query: JobQuery): { readonly jobs: readonly Job[]; readonly total: number } {
    const { jobs, total } = this.#store.query(query)
    return { jobs: jobs.map((job) => this.#live.get(job.definition.id)?.job ?? job), total }
  }

  unfinished(): readonly Job[] {
    return this.#store.unfinished()
  }

  count(status?: Job['status']): number {
    return this.#store.count(status)
  }

  logs(id: string, since: number, limit: number): readonly JobLogLine[] {
    return this.#store.logs(id, since, limit)
  }

  lastLogSeq(id: string): number {
    return this.#store.lastLogSeq(id)
  }

  /** Changes a job durably, or not at all. Errors: `JOB_UNKNOWN`, `JOB_STORE_FAILED`. */
  change(id: string, change: JobChange): Job {
    const job = this.#changed(id, change)
    this.#written(() => this.#store.update(job))
    this.#show(job)
    return job
  }

  /** Shows a job that runs no longer as waiting, when that cannot be written down. */
  suspend(id: string): void {
    const live = this.#live.get(id)
    if (live === undefined) return
    live.job = { ...live.job, status: 'pending', progress: null, updated_at: new Date().toISOString() }
    this.feed.tell(id)
  }

  /** Notes how far a running job is; ignored for one that does not run (a late report). */
  progress(id: string, progress: JobProgress): void {
    const live = this.#live.get(id)
    if (live?.job.status !== 'running') return
    const due = live.job.progress?.phase !== progress.phase || Date.now() - live.savedAtMs >= saveProgressMs
    const clean = this.#redactor.value(progress) as JobProgress
    live.job = { ...live.job, progress: clean, updated_at: new Date().toISOString() }
    if (due) {
      live.savedAtMs = Date.now()
      const { job } = live
      this.#attempted(() => this.#store.update(job))
    }
    this.feed.tell(id)
  }

  /** Adds a line to the job's log. */
  log(id: string, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const cleanFields = fields === undefined ? undefined : (this.#redactor.value(fields) as Record<string, unknown>)
    this.#attempted(() => this.#store.addLog(id, level, this.#redactor.text(message), cleanFields))
    this.feed.tell(id)
  }

  /** Notes that a job's export is complete. Where it cannot be written down it is known until the daemon ends. */
  decided(id: string, manifest: string): void {
    const live = this.#live.get(id)
    if (live === undefined) return
    live.job = { ...live.job, manifest, updated_at: new Date().toISOString() }
    const { job } = live
    this.#attempted(() => this.#store.update(job))
  }

  /** Outcomes the after-export hooks were not told of. */
  owed(): readonly ExportOutcome[] {
    return this.#store.owed()
  }

  /** The hooks were told; where it cannot be written down they are told again by the next daemon. */
  told(id: string): void {
    this.#attempted(() => {
      this.#store.told(id)
      this.#store.prune()
    })
  }

  /**
   * Ends a job for good, or not at all, and answers what its hooks are owed from now on.
   * Errors: `JOB_UNKNOWN`, `JOB_STORE_FAILED`.
   */
  end(id: string, ending: JobEnding): ExportOutcome {
    const failed = ending.status !== 'completed'
    if (failed) this.log(id, ending.status === 'failed' ? 'error' : 'info', `${ending.status}: ${ending.error.message}`)
    else this.log(id, 'info', 'completed', { checksum: ending.result.checksum, files: ending.result.files })
    const job = this.#changed(id, {
      ...(failed
        ? { ...this.failure(ending.error), manifest: null }
        : { error: null, failure: null, result: jobResult(ending.result) }),
      status: ending.status,
      next_attempt_at: null,
      completed_at: new Date().toISOString(),
    })
    const result = ending.status === 'completed' ? ending.result : null
    const outcome: ExportOutcome = { job_id: id, status: ending.status, result, error: job.error }
    this.#written(() => this.#store.end(job, outcome))
    this.#show(job)
    this.#onEnd(job)
    return outcome
  }

  #changed(id: string, change: JobChange): Job {
    return { ...this.get(id), ...change, updated_at: new Date().toISOString() }
  }

  #show(job: Job): void {
    const { id } = job.definition
    if (job.status === 'running') this.#live.set(id, { job, savedAtMs: Date.now() })
    else this.#live.delete(id)
    this.feed.tell(id)
  }

  #written(write: () => void): void {
    try {
      write()
      this.#toldFailure = false
    } catch (error) {
      this.#tellFailure(error)
      const reason = asPlatformError(error).message
      throw hypersdkErrors.error('JOB_STORE_FAILED', { reason }, { cause: error })
    }
  }

  /** For what may be lost. */
  #attempted(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#tellFailure(error)
    }
  }

  #tellFailure(error: unknown): void {
    if (this.#toldFailure) return
    this.#toldFailure = true
    this.#onFailure(asPlatformError(error))
  }

  /** An error as a job carries it, without secrets. */
  failure(error: PlatformError): { error: string; failure: Job['failure'] } {
    const clean = this.#redactor.value(error.toJSON()) as NonNullable<Job['failure']>
    return { error: clean.message, failure: clean }
  }
}

/** Whatever was thrown, as an error with a code. */
export function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  const json = new PlatformError('INTERNAL', 'failed', { cause: error }).toJSON().cause
  return PlatformError.fromJSON(json ?? { code: 'INTERNAL', message: String(error) })
}

function newJob(definition: JobDefinition): Job {
  return {
    definition,
    status: 'pending',
    progress: null,
    result: null,
    error: null,
    failure: null,
    plugin: null,
    attempts: 0,
    retries: 0,
    crashes: 0,
    next_attempt_at: null,
    cancel_requested: false,
    manifest: null,
    started_at: null,
    completed_at: null,
    updated_at: definition.created_at,
  }
}
