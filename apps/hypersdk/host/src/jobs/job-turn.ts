import { PlatformError } from '@backplane/sdk'
import type { ExportResult } from '@hypersdk/points'
import { hypersdkErrors } from '../errors.ts'
import { finishExport } from '../export/finish-export.ts'
import { attemptJob, clearRemains, type JobSurroundings } from './job-attempt.ts'
import { asPlatformError, type JobEnding } from './job-ledger.ts'
import type { Job } from './job.ts'
import { retryDelayMs } from './retry-delay.ts'

/** Why a running export was stopped without being given up; it starts again with the daemon. */
export const interrupted: unique symbol = Symbol('interrupted')

/** Aborts a job's turn because it is not wanted any more. */
export function cancelled(): PlatformError {
  return hypersdkErrors.error('JOB_CANCELLED')
}

/** What a turn came to: the job's end, or the time of its next try, or nothing while the daemon stops. */
export type TurnResult =
  | { readonly kind: 'ended'; readonly ending: JobEnding }
  | { readonly kind: 'retry'; readonly dueAtMs: number }
  | { readonly kind: 'interrupted' }

/** How a job ends that is not to run again. An export that is decided is finished instead, whatever was wanted of it. */
export function verdict({ cancel_requested, crashes, manifest }: Job, maxCrashes: number): JobEnding | undefined {
  if (manifest !== null) return undefined
  if (cancel_requested) return { status: 'cancelled', error: cancelled() }
  if (crashes < maxCrashes) return undefined
  return { status: 'failed', error: hypersdkErrors.error('JOB_CRASH_LOOP', { crashes }) }
}

/**
 * One turn of one job, and what became of it, written down except for the end. `onBegun` is called once the turn is
 * written down, `onDecided` when it is too late to cancel. Errors: `JOB_STORE_FAILED`.
 */
export async function takeTurn(
  id: string,
  around: JobSurroundings,
  turn: { readonly signal: AbortSignal; readonly onBegun: () => void; readonly onDecided: () => void },
): Promise<TurnResult> {
  const { ledger, exports } = around
  const job = ledger.get(id)
  const ending = verdict(job, exports.maxCrashes)
  if (ending !== undefined) {
    await clearRemains(job, around)
    return { kind: 'ended', ending }
  }
  const begun = { status: 'running', attempts: job.attempts + 1, started_at: job.started_at ?? new Date().toISOString() } as const
  const running = ledger.change(id, { ...begun, next_attempt_at: null, error: null, failure: null })
  turn.onBegun()
  try {
    const finished = await finishDecided(running, around, turn.signal)
    const onDecided = (manifest: string): void => {
      turn.onDecided()
      ledger.decided(id, manifest)
    }
    const isPutOff = (reason: unknown): boolean => reason === interrupted
    const result = finished ?? (await attemptJob(ledger.get(id), around, { signal: turn.signal, onDecided, isPutOff }))
    return { kind: 'ended', ending: { status: 'completed', result } }
  } catch (error) {
    return settleFailure(id, error, around, turn.signal)
  }
}

/** Finishes an export that an earlier daemon decided; its provider is not needed for that, and may be gone. */
async function finishDecided(job: Job, around: JobSurroundings, signal: AbortSignal): Promise<ExportResult | undefined> {
  if (job.manifest === null) return undefined
  const { id } = job.definition
  try {
    const result = await finishExport(job.manifest, id, signal)
    if (result !== undefined) around.ledger.log(id, 'info', 'an earlier attempt had the export complete')
    else around.ledger.change(id, { manifest: null })
    return result
  } catch (error) {
    if (!signal.aborted) await clearRemains(job, around)
    throw error
  }
}

function settleFailure(id: string, thrown: unknown, { ledger, exports }: JobSurroundings, signal: AbortSignal): TurnResult {
  const job = ledger.get(id)
  if (job.cancel_requested) return { kind: 'ended', ending: { status: 'cancelled', error: cancelled() } }
  if (signal.reason === interrupted) {
    ledger.log(id, 'info', 'interrupted because the daemon stops; it goes on with the next one')
    ledger.change(id, { status: 'pending' })
    return { kind: 'interrupted' }
  }
  if (isStoreFailure(thrown)) throw thrown
  const error = asPlatformError(thrown)
  const retries = job.retries + 1
  if (!error.retryable || retries >= exports.maxAttempts) return { kind: 'ended', ending: { status: 'failed', error } }
  const dueAtMs = Date.now() + retryDelayMs(exports.retryDelayMs, job.retries)
  const dueAt = new Date(dueAtMs).toISOString()
  ledger.log(id, 'warn', `try ${retries} of ${exports.maxAttempts} failed, the next is due at ${dueAt}: ${error.message}`)
  ledger.change(id, { ...ledger.failure(error), status: 'pending', retries, manifest: null, next_attempt_at: dueAt })
  return { kind: 'retry', dueAtMs }
}

/** Whether a change could not be written down. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'JOB_STORE_FAILED'
}
