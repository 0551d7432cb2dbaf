import type { Command } from 'commander'
import type { Runner } from '../session.ts'
import { examples } from './examples.ts'
import { watchJob } from './watch-job.ts'

/** Adds `watch`. */
export function addWatchCommand(program: Command, run: Runner): void {
  const watch = program.command('watch <job>').description('follow a job to its end; Ctrl-C leaves it running')
  examples(
    watch,
    ['watch job-20261121-101500-1433f3', 'watch job-20261121-101500-1433f3 | sha256sum --check'],
    `Shows progress with rate and time left; without a terminal, a line for each step. At the end prints checksum and file.
Ends with 0 when the job completed, with 1 when it failed or was cancelled.`,
  )
  watch.action(run(async (session, job: string) => watchJob(session, job)))
}
