import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Command } from 'commander'
import type { Content } from '@backplane/server/client'
import { hintFor } from '../own-hints.ts'
import type { Submission } from '../daemon-json.ts'
import { cliErrors } from '../errors.ts'
import type { Runner, Session } from '../session.ts'
import { highlight, printable, printableJson } from '@backplane/terminal'
import type { Terminal } from '../terminal/terminal.ts'
import { examples } from './examples.ts'
import { watchJob } from './watch-job.ts'

interface SubmitOptions {
  readonly provider?: string
  readonly vm?: string
  readonly name?: string
  readonly format?: string
  readonly output?: string
  readonly compress?: true
  readonly overwrite?: true
  readonly watch?: true
}

/** Adds `submit`. */
export function addSubmitCommand(program: Command, run: Runner): void {
  const submit = program
    .command('submit [file]')
    .description('queue exports: a YAML or JSON file with one job or many (- reads standard input), or one job by options')
    .option('--provider <name>', 'provider type or configured instance')
    .option('--vm <id>', 'the machine, in the provider’s own form')
    .option('--name <name>', 'a name for the job')
    .option('--format <format>', 'raw, qcow2, vmdk, vhd, vhdx, vdi (the provider says which)')
    .option('--output <dir>', 'directory on the daemon’s machine; a relative one is below its export directory')
    .option('--compress', 'compress what is written')
    .option('--overwrite', 'replace files of the same names')
    .option('--watch', 'follow the jobs to their end')
  examples(
    submit,
    [
      'submit --provider samples --vm sample-server.raw --format raw --output first --watch',
      'submit batch.yaml',
      `query --status failed --json | jq '{jobs: [.jobs[].definition | {provider, vm_id}]}' | hyperctl submit -`,
    ],
    'Prints the ids of the accepted jobs, one a line; ends with 1 when some were rejected.',
  )
  submit.action(
    run(async (session, file: string | undefined, options: SubmitOptions) => {
      const content = file === undefined ? jobOf(options) : await readJobs(file, options, session.terminal)
      const answer = (await session.api.postContent('/jobs/submit', content, [400])) as Submission
      showSubmission(session, answer, options.watch === true)
      let exitCode = answer.rejected > 0 ? 1 : 0
      if (options.watch === true) {
        for (const id of answer.job_ids) exitCode = Math.max(exitCode, await watchJob(session, id))
      }
      return exitCode
    }),
  )
}

function jobOf(options: SubmitOptions): Content {
  const { provider, vm, name, format, output, compress, overwrite } = options
  if (provider === undefined || vm === undefined) {
    throw cliErrors.error('CLI_USAGE', { reason: 'give a file, or --provider and --vm' })
  }
  // Members that are undefined are left out by JSON.
  const job = { provider, vm_id: vm, name, format, output_dir: output, compress, options: overwrite && { overwrite } }
  return { type: 'application/json', text: JSON.stringify(job) }
}

async function readJobs(file: string, options: SubmitOptions, terminal: Terminal): Promise<Content> {
  const { watch: _, ...job } = options
  const [given] = Object.keys(job)
  if (given !== undefined) throw cliErrors.error('CLI_USAGE', { reason: `--${given} and a file exclude each other` })
  const text = await read(file, terminal)
  const extension = extname(file).toLowerCase()
  const isJson = extension === '.json' || (extension !== '.yaml' && extension !== '.yml' && /^\s*[{[]/.test(text))
  return { type: isJson ? 'application/json' : 'application/yaml', text }
}

async function read(file: string, terminal: Terminal): Promise<string> {
  if (file === '-') return terminal.readStdin()
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    throw cliErrors.error('CLI_INPUT_UNREADABLE', { path: file, reason: String(code ?? error) }, { cause: error })
  }
}

function showSubmission({ terminal, json }: Session, answer: Submission, watching: boolean): void {
  if (json && !watching) terminal.out(`${printableJson(answer, 2)}\n`)
  if (!json && !watching) terminal.out(answer.job_ids.map((id) => `${printable(id)}\n`).join(''))
  for (const { index, code, error, hint } of answer.errors ?? []) {
    const told = hintFor(code, hint)
    const advice = told === undefined ? '' : `\n  ${printable(told)}`
    terminal.err(`job ${index + 1} rejected: ${highlight(terminal, 'red', printable(code))}: ${printable(error)}${advice}\n`)
  }
}
