import type { Command } from 'commander'
import type { Job, JobLogLine } from '../daemon-json.ts'
import { follow } from '@backplane/server/client'
import { show, type Runner, type Session } from '../session.ts'
import { listText, printable, printableJson, printableLine, secondsText, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'
import { someOf, wholeNumber } from './option-values.ts'

const exampleJob = 'job-20261121-101500-1433f3'
const statuses = ['pending', 'running', 'completed', 'failed', 'cancelled']

/** Adds `query`, `logs`, `cancel` and `status`. */
export function addJobCommands(program: Command, run: Runner): void {
  const query = program
    .command('query [jobs...]')
    .description('list jobs, newest first')
    .option('--status <status...>', `only these: ${statuses.join(', ')}`, someOf('--status', statuses))
    .option('--limit <count>', 'at most so many', wholeNumber('--limit'), '100')
  examples(query, ['query', 'query --status running pending', `query ${exampleJob} --json`])
  query.action(run(listJobs))
  addLogs(program, run)
  addCancel(program, run)
  addStatus(program, run)
}

function addLogs(program: Command, run: Runner): void {
  const logs = program
    .command('logs <job>')
    .description('print the log of a job')
    .option('--follow', 'go on until the job ends')
    .option('--since <line>', 'only lines after this one', wholeNumber('--since'), '0')
  examples(logs, [`logs ${exampleJob}`, `logs ${exampleJob} --follow`, `logs ${exampleJob} --since 12 --json`])
  logs.action(run((session, job: string, options: { follow?: true; since: string }) => printLog(session, job, options)))
}

function addCancel(program: Command, run: Runner): void {
  const cancel = program.command('cancel <jobs...>').description('cancel jobs; a running one clears up first')
  const all = `query --status pending --json | jq -r '.jobs[].definition.id' | xargs hyperctl cancel`
  examples(
    cancel,
    [`cancel ${exampleJob}`, all],
    'Prints the ids of the cancelled jobs; ends with 1 when some were not cancelled.',
  )
  cancel.action(
    run(async (session, jobs: string[]) => {
      const answer = (await session.api.post('/jobs/cancel', { job_ids: jobs })) as {
        cancelled: string[]
        errors: Record<string, string>
      }
      show(session, answer, () => answer.cancelled.map((id) => `${printable(id)}\n`).join(''))
      const errors = Object.entries(answer.errors)
      for (const [id, reason] of errors) session.terminal.err(`${printableLine(`${id} not cancelled: ${reason}`)}\n`)
      return errors.length > 0 ? 1 : 0
    }),
  )
}

function addStatus(program: Command, run: Runner): void {
  const status = program.command('status').description('version and uptime of the daemon, and its jobs by status')
  examples(status, ['status', 'status --json | jq .running_jobs'])
  status.action(
    run(async (session) => {
      const answer = (await session.api.get('/status')) as { uptime: number }
      show(session, answer, () => listText(Object.entries({ ...answer, uptime: secondsText(answer.uptime) })))
    }),
  )
}

interface QueryOptions {
  readonly status?: readonly string[]
  readonly limit: string
}

async function listJobs(session: Session, jobs: readonly string[], { status, limit }: QueryOptions): Promise<number> {
  const query = new URLSearchParams({ limit })
  if (jobs.length > 0) query.set('job_ids', jobs.join(','))
  if (status !== undefined) query.set('status', status.join(','))
  if (jobs.length === 0 && status === undefined) query.set('all', 'true')
  const answer = (await session.api.get('/jobs/query', query)) as { jobs: Job[]; total: number }
  show(session, answer, () => jobTable(answer.jobs))
  const more = answer.total - answer.jobs.length
  if (more > 0) session.terminal.err(`${more} more; use --limit\n`)
  const found = new Set(answer.jobs.map((job) => job.definition.id))
  // With --status a job may be left out because it stands otherwise.
  const missing = status === undefined && more === 0 ? jobs.filter((id) => !found.has(id)) : []
  for (const id of missing) session.terminal.err(`there is no job ${printable(id)}\n`)
  return missing.length > 0 ? 66 : 0
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
    terminal.out(json ? `${printableJson(line)}\n` : `${printable(`${line.time} ${line.level.padEnd(5)} ${line.message}`)}\n`)
  if (options.follow === undefined) {
    const answer = (await api.get(`/jobs/logs/${id}`, new URLSearchParams({ since: options.since }))) as { logs: JobLogLine[] }
    if (json) terminal.out(`${printableJson(answer, 2)}\n`)
    else for (const line of answer.logs) print(line)
    return
  }
  for await (const { event, data } of follow(api, `/jobs/${id}/events`, { since: options.since })) {
    if (event === 'log') print(data as JobLogLine)
    if (event === 'end') return
  }
}
