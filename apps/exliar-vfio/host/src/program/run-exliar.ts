import { resolve } from 'node:path'
import { highlight, printable, printableJson, quietCommand, tellFailure, verbRunner } from '@backplane/terminal'
import type { Command } from 'commander'
import { kernelErrors, type KernelLogLine, type Log } from '@backplane/kernel'
import { runtimeErrors } from '@backplane/runtimes'
import { sourceErrors } from '@backplane/sources'
import { storageErrors } from '@backplane/storage'
import { trustErrors } from '@backplane/trust'
import { loadConfig } from '../config/load-config.ts'
import { exliarErrors } from '../errors.ts'
import { machineServices } from '../lifecycle/machine-services.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { productVersion } from '../product.ts'
import { changesOptions } from './change-work.ts'
import { examples } from './examples.ts'
import { Session } from './session.ts'
import { stateDirectory } from './state-directory.ts'
import type { Terminal } from './terminal.ts'
import { addTui, startTui } from './tui/add-tui.ts'
import { unlessUnknownVerb } from './unknown-verb.ts'
import { addChanges } from './verbs/changes.ts'
import { addContributed, runCommand } from './verbs/contributed.ts'
import { addMachines } from './verbs/machines.ts'
import { addPlan } from './verbs/plan.ts'
import { addPlugins } from './verbs/plugins.ts'
import { addReport } from './verbs/report.ts'
import { addTrace } from './verbs/trace.ts'

interface GlobalOptions {
  readonly root: string
  readonly config?: string
  readonly stateDir?: string
  readonly safeMode?: true
  readonly verbose?: true
  readonly json?: true
}

const verbs = [addReport, addPlan, addChanges, addMachines, addTrace, addPlugins, addContributed, addTui] as const

/**
 * Runs the program with its arguments (without program and script) and answers the exit code: 0 done, 1 no (nobody agreed,
 * or not all is as it was), 2 usage, 3 changes are pending, 65 what was given does not fit, 66 not there, 69 unavailable, 70 it
 * failed, 73 cannot write, 74 cannot be read, 75 not now, 77 refused, 78 the configuration is wrong, 130 broken off.
 */
export async function runExliar(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0
  const program = root(terminal)
  const withSession = async (verb: (session: Session) => Promise<number | void>): Promise<void> => {
    await using session = await open(program.opts<GlobalOptions>(), terminal)
    exitCode = (await verb(session)) ?? 0
  }
  const run = verbRunner(withSession)
  for (const add of verbs) add(program, run)
  // What is no verb may be a command of a plugin.
  program
    .argument('[command]')
    .argument('[args...]')
    .allowUnknownOption()
    .action(async (name: string | undefined, rest: readonly string[]) => {
      if (name !== undefined)
        return withSession((session) => runCommand(session, { name, args: rest, verbs: verbNames(program) }))
      return terminal.screen === undefined ? program.help({ error: true }) : withSession(startTui)
    })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    return tellFailure(unlessUnknownVerb(unlessBrokenOff(error, terminal.signal), program), {
      terminal,
      json: args.includes('--json'),
      usage: (reason) => exliarErrors.error('EXLIAR_USAGE', { reason }),
      defect: (reason, cause) => exliarErrors.error('EXLIAR_DEFECT', { reason }, { cause }),
      exitOf: ({ code }) => exits[code]?.exit,
    })
  }
}

/** What `--help` shows; others are called by programs. */
function verbNames(program: Command): readonly string[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .map((verb) => verb.name())
}

/** Who breaks it off is not told of a defect. */
function unlessBrokenOff(error: unknown, signal: AbortSignal): unknown {
  const isOwn = signal.aborted && (error === signal.reason || Reflect.get(Object(error), 'name') === 'AbortError')
  if (!isOwn) return error
  const reason = signal.reason instanceof Error ? signal.reason.message : 'somebody asked for it'
  return exliarErrors.error('EXLIAR_BROKEN_OFF', { reason }, { cause: error })
}

const exits: Readonly<Record<string, { readonly exit: number }>> = {
  ...kernelErrors.specs,
  ...runtimeErrors.specs,
  ...sourceErrors.specs,
  ...storageErrors.specs,
  ...trustErrors.specs,
  ...exliarErrors.specs,
}

function root(terminal: Terminal): Command {
  const program = quietCommand('exliar', terminal)
    .description(
      'Passes graphics cards through to virtual machines: a plan to read, a journal before each step, a verified undo.',
    )
    .version(productVersion(), '--version', 'print the version')
    .option('--root <directory>', 'the machine to work on: another than this one is a copy of its files', '/')
    .option('--config <file>', 'configuration (default: ~/.config/exliar-vfio/config.toml, then /etc/exliar-vfio/config.toml)')
    .option('--state-dir <directory>', 'where plugins keep their files')
    .option('--safe-mode', 'start no plugin that does not ship with exliar')
    .option('--verbose', 'tell what plugins log')
    .option('--json', 'print the answer as JSON')
  return examples(
    program,
    [
      'report --root examples/exliar/two-identical-nvidia-grub-initramfs-tools',
      'plan 0000:01:00',
      'apply 0000:01:00',
      'status',
      'cleanup',
    ],
    'Exit codes: 0 done, 1 no (nobody agreed, or not all is as it was), 2 usage, 3 changes are pending, 65 what was given does\nnot fit, 66 not there, 69 unavailable, 70 it failed, 73 cannot write, 74 cannot be read, 75 not now, 77 refused, 78 the configuration\nis wrong, 130 broken off.',
  )
}

async function open(options: GlobalOptions, terminal: Terminal): Promise<Session> {
  const tree = MachineTree.open(resolve(options.root))
  const config = await loadConfig(options.config, terminal.env)
  const { uid, env } = terminal
  return new Session({
    terminal,
    json: options.json === true,
    tree,
    config,
    stateDirectory: stateDirectory({ root: tree.root, uid, env, named: options.stateDir }),
    services: (hookOf) => machineServices(changesOptions(tree), hookOf),
    log: terminalLog(terminal, options),
    safeMode: options.safeMode === true,
  })
}

/** Why something went wrong: of the fields all that everybody needs. */
function reasonIn({ error }: Readonly<Record<string, unknown>>): string {
  const reason: unknown = Reflect.get(Object(error), 'message')
  return typeof reason === 'string' ? `: ${reason}` : ''
}

/** What plugins and the kernel log: warnings always, the rest when it is wanted; with `--json` one object a line. */
function terminalLog(terminal: Terminal, { verbose, json }: Pick<GlobalOptions, 'verbose' | 'json'>): Log {
  return {
    write: ({ level, plugin, message, fields }: KernelLogLine) => {
      if (verbose !== true && (level === 'debug' || level === 'info')) return
      if (json === true) return terminal.err(`${printableJson({ level, plugin, message, fields })}\n`)
      const who = plugin === undefined ? '' : `${plugin}: `
      const rest = fields === undefined ? '' : verbose === true ? ` ${JSON.stringify(fields)}` : reasonIn(fields)
      const style = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : 'dim'
      terminal.err(`${highlight(terminal, style, level)}: ${printable(`${who}${message}${rest}`)}\n`)
    },
  }
}
