import type { ApiClient } from '@backplane/server/client'
import type { Job, JobProgress } from '../jobs/job.ts'

/** Where the progress is shown. */
export interface Screen {
  readonly print: (line: string) => void
  /** Replaces what was shown last; undefined where lines cannot be replaced. */
  readonly replace: ((line: string) => void) | undefined
}

/** Submits one export and shows it until it ends. Answers the finished job; throws when it failed. */
export async function showExport(api: ApiClient, request: Readonly<Record<string, unknown>>, screen: Screen): Promise<Job> {
  const { job_ids } = (await api.post('/jobs/submit', request)) as { job_ids: string[] }
  const id = job_ids[0] ?? ''
  screen.print(`job ${id} accepted`)
  let shown = ''
  for await (const { event, data } of api.events(`/jobs/${id}/events`)) {
    if (event === 'log') screen.print(`  ${(data as { message: string }).message}`)
    if (event === 'progress') {
      const line = progressLine((data as { progress: JobProgress | null }).progress)
      if (line !== undefined && line !== shown) (screen.replace ?? screen.print)(line)
      shown = line ?? shown
    }
    if (event === 'end') break
  }
  const job = (await api.get(`/jobs/${id}`)) as Job
  if (job.status !== 'completed') throw new Error(`the export ended ${job.status}: ${job.error}`)
  return job
}

function progressLine(progress: JobProgress | null): string | undefined {
  if (progress === null) return undefined
  const percent = progress.percent_complete ?? 0
  const full = Math.round(percent / 4)
  const bar = '█'.repeat(full) + '░'.repeat(25 - full)
  const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  const rate = progress.bytes_per_second > 0 ? `  ${mebibytes(progress.bytes_per_second)}/s` : ''
  return `  ${bar} ${percent.toFixed(0).padStart(3)} %  ${mebibytes(progress.bytes_downloaded)}  ${progress.phase}${rate}`
}
