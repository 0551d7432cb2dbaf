import { Option, type Command } from 'commander'
import type { Job, JobLogLine } from '../api/daemon-json.ts'
import { follow } from '../api/follow.ts'
import { show, type Runner, type Session } from '../session.ts'
import { printable } from '../terminal/printable.ts'
import { secondsText } from '../terminal/quantity.ts'
import { listText, tableText } from '../terminal/table.ts'

const statuses = ['pending', 'running', 'completed', 'failed', 'cancelled']

/** Adds `query`, `logs`, `cancel` and `status`. */
export function addJobCommands(program: Command, run: Runner): void {
  program
    .command('query [jobs...]')
    .description('list jobs, newest first')
    .addOption(new Option('--status <status...>', 'only these').choices(statuses))
    .option('--limit <count>', 'at most so many', '100')
    .addHelpText(
      'after',
      `
Examples:
  hyperctl query
  hyperctl query --status running pending
  hyperctl query 01J9Z… --json`,
    )
    .action(
      run(async (session, jobs: string[], { status, limit }: { status?: string[]; limit: string }) => {
        const query = new URLSearchParams({ limit })
        if (jobs.length > 0) query.set('job_ids', jobs.join(','))
        if (status !== undefined) query.set('status', status.join(','))
        if (jobs.length === 0 && status === undefined) query.set('all', 'true')
        const answer = (await session.api.get('/jobs/query', query)) as { jobs: Job[]; total: number }
        show(session, answer, () => jobTable(answer.jobs))
        const more = answer.total - answer.jobs.length
        if (more > 0) session.terminal.err(`${more} more; use --limit\n`)
      }),
    )
  addLogs(program, run)
  addCancel(program, run)
  addStatus(program, run)
}

function addLogs(program: Command, run: Runner): void {
  program
    .command('logs <job>')
    .description('print the log of a job')
    .option('--follow', 'go on until the job ends')
    .option('--since <line>', 'only lines after this one', '0')
    .action(run((session, job: string, options: { follow?: true; since: string }) => printLog(session, job, options)))
}

function addCancel(program: Command, run: Runner): void {
  program
    .command('cancel <jobs...>')
    .description('cancel jobs; a running one clears up first')
    .action(
      run(async (session, jobs: string[]) => {
        const answer = (await session.api.post('/jobs/cancel', { job_ids: jobs })) as {
          cancelled: string[]
          errors: Record<string, string>
        }
        show(session, answer, () => answer.cancelled.map((id) => `${id}\n`).join(''))
        const errors = Object.entries(answer.errors)
        for (const [id, reason] of errors) session.terminal.err(`${id} not cancelled: ${printable(reason)}\n`)
        return errors.length > 0 ? 1 : 0
      }),
    )
}

function addStatus(program: Command, run: Runner): void {
  program
    .command('status')
    .description('version and uptime of the daemon, and its jobs by status')
    .action(
      run(async (session) => {
        const answer = (await session.api.get('/status')) as { uptime: number }
        show(session, answer, () => listText(Object.entries({ ...answer, uptime: secondsText(answer.uptime) })))
      }),
    )
}

function jobTable(jobs: readonly Job[]): string {
  return tableText(jobs, [
    ['ID', (job) => job.definition.id],
    ['STATUS', (job) => job.status],
    [
      'DONE',
      (job) => (typeof job.progress?.percent_complete === 'number' ? `${job.progress.percent_complete.toFixed(0)}%` : null),
    ],
    ['PROVIDER', (job) => job.definition.provider],
    ['VM', (job) => job.definition.vm_id],
    ['FORMAT', (job) => job.definition.format],
    ['STARTED', (job) => job.started_at],
    ['ERROR', (job) => job.error],
  ])
}

async function printLog(session: Session, job: string, options: { follow?: true; since: string }): Promise<void> {
  const { api, terminal, json } = session
  const id = encodeURIComponent(job)
  const print = (line: JobLogLine): void =>
    terminal.out(json ? `${JSON.stringify(line)}\n` : `${line.time} ${line.level.padEnd(5)} ${printable(line.message)}\n`)
  if (options.follow === undefined) {
    const answer = (await api.get(`/jobs/logs/${id}`, new URLSearchParams({ since: options.since }))) as { logs: JobLogLine[] }
    if (json) terminal.out(`${JSON.stringify(answer, undefined, 2)}\n`)
    else for (const line of answer.logs) print(line)
    return
  }
  for await (const { event, data } of follow(api, `/jobs/${id}/events`, { since: options.since })) {
    if (event === 'log') print(data as JobLogLine)
    if (event === 'end') return
  }
}
