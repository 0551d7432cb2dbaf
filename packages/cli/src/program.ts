import { readFileSync } from 'node:fs'
import { PlatformError } from '@backplane/sdk'
import { ApiClient, HostError } from '@backplane/server/client'
import { type Command, Option } from 'commander'
import { backplaneErrors } from './errors.ts'
import { hostAddress, type AddressOptions } from './host-address.ts'
import type { Session } from './session.ts'
import { quietCommand, tellFailure, verbRunner } from '@backplane/terminal'
import type { Terminal } from './terminal/terminal.ts'
import { addInstallVerbs } from './verbs/install-verbs.ts'
import { addLockVerbs } from './verbs/lock-verbs.ts'
import { addPermissionVerbs } from './verbs/permission-verbs.ts'
import { addGrants } from './verbs/grants.ts'
import { addPlan } from './verbs/plan.ts'
import { addSigning } from './verbs/signing.ts'
import { addTrust } from './verbs/trust.ts'
import { addVerify } from './verbs/verify.ts'
import { addApprovals } from './verbs/approvals.ts'
import { addAudit } from './verbs/audit.ts'
import { addDoctor } from './verbs/doctor.ts'
import { addEvents } from './verbs/events.ts'
import { examples } from './verbs/examples.ts'
import { addHistory } from './verbs/history.ts'
import { addPin } from './verbs/pin.ts'
import { addPlugins } from './verbs/plugins.ts'
import { addProfile } from './verbs/profile.ts'
import { addPush } from './verbs/push.ts'
import { addRelease } from './verbs/release.ts'
import { addRollback } from './verbs/rollback.ts'
import { addBundle } from './verbs/bundle.ts'
import { addMirror } from './verbs/mirror.ts'
import { addSearch } from './verbs/search.ts'
import { addSecrets } from './verbs/secrets.ts'
import { addTokens } from './verbs/tokens.ts'
import { addTop } from './verbs/top.ts'
import { addWhy } from './verbs/why.ts'

interface GlobalOptions extends AddressOptions {
  readonly json?: true
  readonly timeout: number
}

const verbs = [
  addDoctor,
  addTop,
  addWhy,
  addProfile,
  addPlugins,
  addSearch,
  addInstallVerbs,
  addPlan,
  addLockVerbs,
  addBundle,
  addMirror,
  addPush,
  addPermissionVerbs,
  addGrants,
  addApprovals,
  addTrust,
  addSigning,
  addVerify,
  addHistory,
  addRollback,
  addPin,
  addRelease,
  addEvents,
  addTokens,
  addAudit,
  addSecrets,
] as const

/**
 * Runs the command line with its arguments (without program and script) and answers the exit code: 0 done, 1 the answer is
 * no, 2 usage, 3 changes are pending; of a failure, what the catalogue has for its code.
 */
export async function runBackplane(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0
  const program = root(terminal)
  const run = verbRunner<Session>(async (work) => {
    const { json = false, timeout, ...where } = program.opts<GlobalOptions>()
    const address = await hostAddress(where, terminal.env)
    const api = (): ApiClient => {
      if (address === undefined) throw backplaneErrors.error('BACKPLANE_HOST_UNSAID')
      return new ApiClient(address, timeout * 1_000)
    }
    exitCode = (await work({ api, hasHost: address !== undefined, terminal, json })) ?? 0
  })
  for (const add of verbs) add(program, run)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    // Usage and defects are this program's own; the other catalogues come with half of the platform.
    const exitOf = error instanceof PlatformError ? (await import('./exit-of.ts')).exitOf : ownExitOf
    return tellFailure(error, {
      terminal,
      json: args.includes('--json'),
      usage: (reason) => backplaneErrors.error('BACKPLANE_USAGE', { reason }),
      defect: (reason, cause) => backplaneErrors.error('BACKPLANE_DEFECT', { reason }, { cause }),
      exitOf,
      asJson: (failure) => (failure instanceof HostError ? failure.problem : failure),
    })
  }
}

function ownExitOf({ code }: PlatformError): number | undefined {
  return Object.hasOwn(backplaneErrors.specs, code)
    ? backplaneErrors.specs[code as keyof typeof backplaneErrors.specs].exit
    : undefined
}

function root(terminal: Terminal): Command {
  const program = quietCommand('backplane', terminal)
    .description('Looks after the plugins of a host: what holds them, what they use, why they are as they are.')
    .version(version(), '--version', 'print the version')
    .option('--socket <path>', `unix socket of the host's API (BACKPLANE_SOCKET)`)
    .addOption(new Option('--url <url>', 'its address over TCP instead (BACKPLANE_URL)').conflicts('socket'))
    .option('--token-file <path>', 'file with the token, for --url (BACKPLANE_TOKEN_FILE)')
    .addOption(new Option('--timeout <seconds>', 'longest silence of the host').default(120).argParser(seconds))
    .option('--json', 'print the answer as JSON; streams print one JSON a line')
  return examples(
    program,
    [
      'doctor',
      'top --socket /run/hypersdk/hypervisord.sock',
      'why libvirt',
      'add npm:@acme/s3@^1.2',
      'profile libvirt --cpu --seconds 10',
      'rollback libvirt',
    ],
    'Exit codes: 0 done, 1 no (something is missing, a change failed), 2 usage, 3 changes are pending, 65 what was given does not fit,\n66 not there, 69 no host or not to be had there, 70 it failed, 73 cannot write, 74 reading or writing failed, 75 try again,\n76 not as agreed, 77 refused, 78 configured wrongly, 130 broken off. `docs/errors.md` has them by code.',
  )
}

function seconds(text: string): number {
  const value = Number(text)
  if (value > 0 && value <= 86_400) return value
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason: `--timeout ${text} is not a number of seconds` })
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
