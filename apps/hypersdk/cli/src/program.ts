import { readFileSync } from 'node:fs'
import { ApiClient, clientErrors, exitCodeOf, HostError } from '@backplane/server/client'
import { type Command, Option } from 'commander'
import { findDaemon, type AddressOptions } from './find-daemon.ts'
import { addEventCommands } from './commands/events.ts'
import { examples } from './commands/examples.ts'
import { addJobCommands } from './commands/jobs.ts'
import { addPluginCommands } from './commands/plugins.ts'
import { addProviderCommands } from './commands/providers.ts'
import { addSubmitCommand } from './commands/submit.ts'
import { addVerifyCommand } from './commands/verify.ts'
import { addVmCommands } from './commands/vms.ts'
import { addWatchCommand } from './commands/watch.ts'
import { cliErrors } from './errors.ts'
import { hintFor } from './own-hints.ts'
import type { Session } from './session.ts'
import { quietCommand, tellFailure, verbRunner } from '@backplane/terminal'
import type { Terminal } from './terminal/terminal.ts'

interface GlobalOptions extends AddressOptions {
  readonly json?: true
  readonly timeout: number
}

const exits: Readonly<Record<string, { readonly exit: number }>> = { ...cliErrors.specs, ...clientErrors.specs }

/**
 * Runs hyperctl with its arguments (without program and script) and answers the exit code: 0 done, 1 the answer is no
 * (a job failed), 2 usage; of a failure, what the catalogue has for its code.
 */
export async function runHyperctl(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0
  const program = root(terminal)
  const run = verbRunner<Session>(async (work) => {
    const { json = false, timeout, ...where } = program.opts<GlobalOptions>()
    const api = new ApiClient(await findDaemon(where, terminal.env, terminal.uid), timeout * 1_000)
    exitCode = (await work({ api, terminal, json })) ?? 0
  })
  addProviderCommands(program, run)
  addVmCommands(program, run)
  addSubmitCommand(program, run)
  addJobCommands(program, run)
  addWatchCommand(program, run)
  addVerifyCommand(program, run)
  addPluginCommands(program, run)
  addEventCommands(program, run)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    return tellFailure(error, {
      terminal,
      json: args.includes('--json'),
      usage: (reason) => cliErrors.error('CLI_USAGE', { reason }),
      defect: (reason, cause) => cliErrors.error('CLI_DEFECT', { reason }, { cause }),
      exitOf: (failure) => (failure instanceof HostError ? exitCodeOf(failure.problem) : exits[failure.code]?.exit),
      asJson: (failure) => (failure instanceof HostError ? failure.problem : failure),
      hintFor: ({ code, hint }) => hintFor(code, hint),
    })
  }
}

function root(terminal: Terminal): Command {
  const program = quietCommand('hyperctl', terminal)
    .description('Controls hypervisord: what it can export, its export jobs and its plugins.')
    .version(version(), '--version', 'print the version')
    .option('--socket <path>', 'unix socket of the daemon (HYPERSDK_SOCKET; default: its default place)')
    .addOption(new Option('--url <url>', 'address of the daemon over TCP instead (HYPERSDK_URL)').conflicts('socket'))
    .option('--token-file <path>', 'file with the token, for --url (HYPERSDK_TOKEN_FILE)')
    .addOption(new Option('--timeout <seconds>', 'longest silence of the daemon').default(120).argParser(seconds))
    .option('--json', 'print the answer as JSON; streams print one JSON a line')
  return examples(
    program,
    [
      'providers',
      'vms list samples --filter state=running',
      'submit --provider samples --vm sample-server.raw --format qcow2 --watch',
      'watch job-20261121-101500-1433f3',
      `plugins list --json | jq '.plugins[].status'`,
    ],
    'Exit codes: 0 done, 1 no (a job failed), 2 usage, 65 what was given does not fit, 66 not there, 69 no daemon or not to be had there,\n70 it failed, 73 cannot write, 74 reading or writing failed, 75 try again, 76 not as agreed, 77 refused, 78 configured wrongly.',
  )
}

function seconds(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 86_400))
    throw cliErrors.error('CLI_USAGE', { reason: `--timeout ${text} is not a number of seconds` })
  return value
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
