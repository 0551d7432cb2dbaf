import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Finding } from '../subject.ts'
import { findingsIn } from './scanner-output.ts'
import type { ScannedFile } from './scan-tree.ts'

/** A program that looks through packages. */
export interface ScannerCommand {
  /** Its findings are of rules `<name>/…`. */
  readonly name: string
  /** Program, an absolute path, and its arguments; `{directory}` in them is where the package lies. No shell. */
  readonly argv: readonly [string, ...string[]]
  /** All of its environment beside `PATH` and `HOME`. Default none. */
  readonly env?: Readonly<Record<string, string>>
  /** Longest time for one package, ms; then it and what it started are killed. Default 60 000. */
  readonly timeoutMs?: number
  /** Most it may print, bytes. Default 1 MiB. */
  readonly maxBytes?: number
  /** Where copies of packages are put, private to the host. Default: the system's temporary directory. */
  readonly temporaryDirectory?: string
  /**
   * What runs it: the arguments of bubblewrap give it a machine that it can only read, without a network unless that is wanted,
   * and without what lies in `hide`. Default: nothing stands around it.
   */
  readonly sandbox?: { readonly program: string; readonly network: boolean; readonly hide: readonly string[] }
}

/** Findings of one package. Larger output is cut off by {@link ScannerCommand.maxBytes}; of these so many are kept. */
const mostFindings = 1_000

/**
 * Scans packages by a command of the operator's. It gets a copy of the package in a folder of its own, which is its working
 * directory, and the paths of all files on its standard input, one a line, each with `./` before it, so that none is taken for an
 * option. It ends with 0 when there is nothing, with 1 when there is something; what it prints is read by {@link findingsIn}.
 * Whatever else comes of it (another exit code, a signal, too much output or time, a program that is not there) is a finding and
 * no silence. Rejects only with the signal's reason.
 */
export function commandScanner(
  command: ScannerCommand,
): (files: readonly ScannedFile[], signal: AbortSignal) => Promise<readonly Finding[]> {
  const notRun = (why: string): readonly Finding[] => [
    { rule: `${command.name}/not-run`, severity: 'danger', file: 'plugin.json', message: `the scanner ${command.name} ${why}` },
  ]
  return async (files, signal) => {
    signal.throwIfAborted()
    if (!command.argv[0].startsWith('/')) return notRun('is not named by an absolute path')
    const unlisted = files.find(({ path }) => /[\r\n]/.test(path))
    if (unlisted !== undefined) return notRun('cannot be told the name of a file with a line break in it')
    const directory = await mkdtemp(join(command.temporaryDirectory ?? tmpdir(), 'backplane-scan-'))
    try {
      for (const { path, bytes } of files) {
        await mkdir(dirname(join(directory, path)), { recursive: true })
        await writeFile(join(directory, path), bytes, { mode: 0o400 })
      }
      const ended = await run(command, { directory, input: files.map(({ path }) => `./${path}\n`).join(''), signal })
      signal.throwIfAborted()
      if (ended.kind === 'failed') return notRun(ended.why)
      const known = new Set(files.map(({ path }) => path))
      return findingsIn(ended.output, { scanner: command.name, found: ended.found, files: known }).slice(0, mostFindings)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
}

type Ended =
  | { readonly kind: 'ended'; readonly found: boolean; readonly output: string }
  | { readonly kind: 'failed'; readonly why: string }

interface Scanned {
  readonly directory: string
  readonly input: string
  readonly signal: AbortSignal
}

async function run(command: ScannerCommand, { directory, input, signal }: Scanned): Promise<Ended> {
  const { timeoutMs = 60_000, maxBytes = 1024 * 1024, env = {} } = command
  const own = command.argv.map((one) => one.replaceAll('{directory}', directory))
  const [program = '', ...args] = [...sandboxed(command, directory), ...own]
  // a group of its own, so that what it started is killed with it
  const child = spawn(program, args, {
    cwd: directory,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', ...env },
    stdio: 'pipe',
    detached: true,
  })
  let why: string | undefined
  const kill = (reason: string): void => {
    why ??= reason
    killGroup(child.pid)
  }
  const aborted = (): void => kill('was not waited for')
  const timer = setTimeout(() => kill(`took longer than ${timeoutMs} ms`), timeoutMs)
  signal.addEventListener('abort', aborted, { once: true })
  try {
    const output = collected(child, maxBytes, kill)
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    if (why !== undefined) return { kind: 'failed', why }
    const { printed, complaint } = output()
    // the sandbox ends with 1 when it cannot be made, or cannot start the program
    const isStarted = command.sandbox === undefined || !complaint.startsWith('bwrap: ')
    if (isStarted && (code === 0 || code === 1)) return { kind: 'ended', found: code === 1, output: printed }
    const told = complaint === '' ? '' : `: ${complaint}`
    return { kind: 'failed', why: `ended with ${code ?? killedBy ?? 'nothing'}${told}` }
  } catch (error) {
    return { kind: 'failed', why: `could not be started (${String(Reflect.get(Object(error), 'code'))})` }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
    killGroup(child.pid)
  }
}

interface Output {
  readonly printed: string
  /** The first line of its standard error. */
  readonly complaint: string
}

/** Of what it complains about, bytes. */
const mostComplaintBytes = 500

function collected(child: ChildProcessWithoutNullStreams, maxBytes: number, kill: (reason: string) => void): () => Output {
  let complaint = Buffer.alloc(0)
  child.stderr.on('data', (piece: Buffer) => {
    if (complaint.length < mostComplaintBytes) complaint = Buffer.concat([complaint, piece]).subarray(0, mostComplaintBytes)
  })
  const pieces: Buffer[] = []
  let bytes = 0
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length
    if (bytes <= maxBytes) pieces.push(piece)
    else kill(`printed more than ${maxBytes} bytes`)
  })
  return () => ({
    printed: Buffer.concat(pieces).toString('utf8'),
    complaint: complaint.toString('utf8').split('\n')[0] ?? '',
  })
}

/** Later mounts lie over earlier ones, so the package is there whatever it lies in. */
function sandboxed({ sandbox }: ScannerCommand, directory: string): readonly string[] {
  if (sandbox === undefined) return []
  const { program, network, hide } = sandbox
  const machine = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--tmpfs', '/run']
  const hidden = hide.flatMap((path) => ['--tmpfs', path])
  const names = network ? ['--share-net', '--ro-bind-try', '/run/systemd/resolve', '/run/systemd/resolve'] : []
  const own = ['--ro-bind', directory, directory, '--chdir', directory, '--die-with-parent', '--new-session', '--cap-drop', 'ALL']
  return [program, ...machine, ...hidden, '--unshare-all', ...names, ...own, '--']
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has ended
  }
}
