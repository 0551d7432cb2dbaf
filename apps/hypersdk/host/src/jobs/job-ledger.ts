import { PlatformError, type LogLevel } from '@backplane/sdk'
import type { ExportResult } from '@hypersdk/points'
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

/** The truth about jobs: every change goes through here, is written down, and is told to those who look on. */
export class JobLedger {
  readonly feed: JobFeed = new JobFeed()
  readonly #store: JobStore
  readonly #redactor: Redactor
  /** Jobs that run: newer than the store by the progress not yet written. */
  readonly #live = new Map<string, { job: Job; savedAtMs: number }>()

  constructor(store: JobStore, redactor: Redactor) {
    this.#store = store
    this.#redactor = redactor
  }

  /** Adds new jobs, all or none. */
  add(definitions: readonly JobDefinition[]): readonly Job[] {
    const jobs = definitions.map((definition) => newJob(definition))
    this.#store.insert(jobs)
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

  /** Changes a job durably. */
  change(id: string, change: JobChange): Job {
    const job: Job = { ...this.get(id), ...change, updated_at: new Date().toISOString() }
    this.#store.update(job)
    if (job.status === 'running') this.#live.set(id, { job, savedAtMs: Date.now() })
    else this.#live.delete(id)
    this.feed.tell(id)
    return job
  }

  /** Notes how far a running job is; ignored for one that does not run (a late report). */
  progress(id: string, progress: JobProgress): void {
    const live = this.#live.get(id)
    if (live === undefined) return
    const due = live.job.progress?.phase !== progress.phase || Date.now() - live.savedAtMs >= saveProgressMs
    live.job = { ...live.job, progress, updated_at: new Date().toISOString() }
    if (due) {
      live.savedAtMs = Date.now()
      this.#store.update(live.job)
    }
    this.feed.tell(id)
  }

  log(id: string, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const cleanFields = fields === undefined ? undefined : (this.#redactor.value(fields) as Record<string, unknown>)
    this.#store.addLog(id, level, this.#redactor.text(message), cleanFields)
    this.feed.tell(id)
  }

  /** Ends a job for good. */
  end(id: string, ending: JobEnding): Job {
    const failed = ending.status !== 'completed'
    if (failed) this.log(id, ending.status === 'failed' ? 'error' : 'info', `${ending.status}: ${ending.error.message}`)
    else this.log(id, 'info', 'completed', { checksum: ending.result.checksum, files: ending.result.files })
    const job = this.change(id, {
      ...(failed ? this.failure(ending.error) : { error: null, failure: null, result: jobResult(ending.result) }),
      status: ending.status,
      next_attempt_at: null,
      completed_at: new Date().toISOString(),
    })
    this.#store.prune()
    return job
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
    started_at: null,
    completed_at: null,
    updated_at: definition.created_at,
  }
}
