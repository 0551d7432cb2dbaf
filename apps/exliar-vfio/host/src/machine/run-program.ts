import { findProgram, programPath } from './find-program.ts'
import { MachineTree } from './machine-tree.ts'
import { runCommand, type CommandEnd } from './run-command.ts'

/** One run of a program of the machine's. Paths among the arguments are as the machine names them. */
export interface ProgramRun {
  /** A name, looked for where programs are, or a path. */
  readonly program: string
  readonly args: readonly string[]
  /** Beside `PATH` and `LC_ALL`; nothing else is inherited. */
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
  readonly signal?: AbortSignal
  /** Default ten minutes: images are made on slow disks too. */
  readonly timeoutMs?: number
  /** Most that is read of its standard output; default 4 MiB. */
  readonly outputBytes?: number
}

/** How a program ended. `left-out`: it did not run, because it cannot here; `reason` is a sentence without its subject. */
export type ProgramEnd =
  | { readonly kind: 'done'; readonly output: string; readonly errors: string }
  | {
      readonly kind: 'failed'
      /** Null: it was ended. */
      readonly exitCode: number | null
      readonly reason: string
      readonly output: string
      readonly errors: string
    }
  | { readonly kind: 'left-out'; readonly reason: string }

const defaultTimeoutMs = 10 * 60_000
const defaultOutputBytes = 4 * 1024 * 1024

/** What bubblewrap and the loader say first when something a program needs to start is not there. */
const lacking = [/^bwrap: execvp .*: (.*)/, /^[^\n]*: error while loading shared libraries: (.*)/]

/**
 * Runs a program of the machine's to its end. On this machine directly; of another one only what it brings itself, and then
 * with its files as the root, without network and without this machine's processes. Never rejects.
 */
export async function runProgram(tree: MachineTree, run: ProgramRun): Promise<ProgramEnd> {
  const program = findProgram(tree, run.program)
  if (program === undefined) return { kind: 'left-out', reason: `${run.program} is not installed there` }
  const command = {
    environment: { PATH: programPath, LC_ALL: 'C', ...run.environment },
    timeoutMs: run.timeoutMs ?? defaultTimeoutMs,
    outputBytes: run.outputBytes ?? defaultOutputBytes,
    ...(run.input === undefined ? {} : { input: run.input }),
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  }
  if (tree.isThisMachine) return ended(await runCommand({ program, args: run.args, ...command }))
  const bubblewrap = findProgram(MachineTree.open('/'), 'bwrap')
  if (bubblewrap === undefined)
    return { kind: 'left-out', reason: 'bubblewrap, to run it inside its own files, is not installed here' }
  const end = await runCommand({ program: bubblewrap, args: [...insideArguments(tree), '--', program, ...run.args], ...command })
  return lackingReason(end) ?? ended(end)
}

/** What writing files of the tree whoever they belong to takes; with more, what is only to be read could be made writable. */
const capabilities = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID']

/**
 * Directories the kernel fills are shown only where the tree has a place for them: nothing is added to it. `proc` is only to
 * be read: root inside is root outside where root runs exliar, and the kernel's settings are the whole machine's.
 */
function insideArguments(tree: MachineTree): readonly string[] {
  const filled = [
    ['--proc', '/proc', '--remount-ro', '/proc'],
    ['--dev', '/dev'],
    ['--tmpfs', '/tmp'],
  ] as const
  const shown = filled.filter(([, path]) => tree.realPath(path) === path).flat()
  const alone = ['--unshare-all', '--unshare-user', '--uid', '0', '--gid', '0', '--die-with-parent', '--new-session']
  const allowed = ['--cap-drop', 'ALL', ...capabilities.flatMap((name) => ['--cap-add', name])]
  return alone.concat(allowed, '--bind', tree.root, '/', shown, '--chdir', '/')
}

function lackingReason({ failure, errors }: CommandEnd): ProgramEnd | undefined {
  if (failure === undefined) return undefined
  const said = errors.trimStart()
  const found = lacking.map((pattern) => pattern.exec(said)).find((match) => match !== null)
  if (found !== undefined && found !== null)
    return { kind: 'left-out', reason: `what it needs to run is not all there: ${found[1] ?? ''}` }
  if (said.startsWith('bwrap: '))
    return { kind: 'left-out', reason: `it cannot be run inside its own files here: ${said.trimEnd()}` }
  return undefined
}

function ended({ exitCode, failure, output, errors }: CommandEnd): ProgramEnd {
  if (failure === undefined) return { kind: 'done', output, errors }
  return { kind: 'failed', exitCode, reason: failure, output, errors }
}
