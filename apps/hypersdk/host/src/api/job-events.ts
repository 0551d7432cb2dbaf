import type { ServerSentEvent } from '@backplane/server'
import type { JobLedger } from '../jobs/job-ledger.ts'
import { isFinal, type Job } from '../jobs/job.ts'

/** Log lines read at once. */
const linesAtOnce = 200

/**
 * What happens to one job, until it ends: `log` for each line, `progress` for the newest state (those a slow reader
 * misses are skipped), `end` at last. The id of an event is the number of the newest log line by then, so a stream
 * resumes after the line seen last, also across a restart of the daemon. Ends when the job does; once `signal` aborts,
 * after what there is to say by then.
 */
export async function* jobEvents(
  ledger: JobLedger,
  id: string,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  let seen = since
  let told = ''
  let wake = (): void => undefined
  using _subscription = ledger.feed.subscribe(id, () => wake())
  const stop = (): void => wake()
  signal.addEventListener('abort', stop)
  try {
    for (;;) {
      const isLast = signal.aborted
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      // The job first: whatever it was when its lines are read, no line written before its end is missed.
      const job = ledger.get(id)
      for (let lines = ledger.logs(id, seen, linesAtOnce); lines.length > 0; lines = ledger.logs(id, seen, linesAtOnce)) {
        for (const line of lines) {
          seen = line.seq
          yield { id: seen, event: 'log', data: line }
        }
      }
      if (isFinal(job.status)) {
        yield { id: seen, event: 'end', data: job }
        return
      }
      if (isLast) return
      const progress = progressView(job)
      const news = JSON.stringify(progress)
      if (news === told) await promise
      else {
        told = news
        yield { id: seen, event: 'progress', data: progress }
      }
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function progressView(job: Job): unknown {
  const { definition, status, progress, attempts, next_attempt_at, error } = job
  return { job_id: definition.id, status, progress, attempts, next_attempt_at, error }
}
