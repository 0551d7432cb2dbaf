import { follow } from '@backplane/server/client'
import type { Job, JobLogLine, JobProgress, JobStatus } from '../daemon-json.ts'
import type { Session } from '../session.ts'
import { bytesText, highlight, printable, printableJson, StatusLine } from '@backplane/terminal'
import { progressLine } from '../terminal/progress-line.ts'

interface ProgressEvent {
  readonly status: JobStatus
  readonly progress: JobProgress | null
  readonly error: string | null
}

/**
 * Follows a job to its end, over restarts of the daemon: progress and log as talk, the files and their checksum as data.
 * Answers 0 when it completed, else 1.
 */
export async function watchJob(session: Session, id: string): Promise<number> {
  const { api, terminal, json } = session
  const line = new StatusLine(terminal)
  const steps = plainSteps()
  const onBreak = (): void => line.print('the daemon went away; waiting for it to come back')
  for await (const { event, data } of follow(api, `/jobs/${encodeURIComponent(id)}/events`, { onBreak })) {
    if (json) terminal.out(`${printableJson({ job: id, event, data })}\n`)
    if (event === 'end') {
      line.end()
      return tellEnd(session, data as Job)
    }
    if (json) continue
    if (event === 'log') line.print(highlight(terminal, 'dim', printable((data as JobLogLine).message)))
    if (event === 'progress') {
      const { status, progress } = data as ProgressEvent
      const text = progress === null ? printable(status) : progressLine(progress, terminal.live ? terminal.columns() : Infinity)
      if (terminal.live) line.replace(text)
      else if (steps(status, progress)) line.print(text)
    }
  }
  return 1
}

/** Without a live terminal a line is worth writing when the status or the phase changes, and every ten percent. */
function plainSteps(): (status: string, progress: JobProgress | null) => boolean {
  let told = ''
  return (status, progress) => {
    const step = `${status} ${progress?.phase ?? ''} ${Math.floor((progress?.percent_complete ?? 0) / 10)}`
    const isNew = step !== told
    told = step
    return isNew
  }
}

function tellEnd({ terminal, json }: Session, job: Job): number {
  const { status, result, error, failure } = job
  const style = status === 'completed' ? 'green' : 'red'
  const reason = error === null ? '' : `: ${printable(error)}`
  const size = result === null ? '' : ` (${bytesText(result.total_size)})`
  terminal.err(`job ${printable(job.definition.id)} ${highlight(terminal, style, printable(status))}${size}${reason}\n`)
  if (failure?.hint !== undefined && status === 'failed') terminal.err(`${printable(failure.hint)}\n`)
  const [main] = result?.files ?? []
  // The form `sha256sum --check` reads, with two spaces.
  if (!json && result !== null && main !== undefined) terminal.out(`${printable(`${result.checksum}  ${main}`)}\n`)
  return status === 'completed' ? 0 : 1
}
