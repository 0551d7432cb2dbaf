import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { gitSandbox, searchPath, type GitView } from './git-sandbox.ts'

/** One run of git. */
export interface GitRun {
  /** Options first, then `--` or `--end-of-options`, then what comes from outside. */
  readonly args: readonly string[]
  readonly input?: string
  /** Of what it answers, bytes. */
  readonly mostBytes: number
  /** The only transport it may use; none unless said. */
  readonly transport?: GitTransport
}

/** How a repository is reached. */
export interface GitTransport {
  readonly protocol: 'https' | 'file'
  /** Where a repository of this machine is. */
  readonly path?: string
  /** Value of the `Authorization` header, and the beginning of the addresses it is for. */
  readonly authorization?: { readonly origin: string; readonly value: string }
  /** PEM. */
  readonly caFile?: string
}

/** Where git works and what it may take. */
export interface GitPlace {
  readonly program: string
  /** Private, and nothing else in it. */
  readonly folder: string
  /** Of a file it writes, bytes. */
  readonly packBytes: number
  readonly memoryBytes: number
  /** Blobs above this are never held in memory, bytes. */
  readonly fileBytes: number
  readonly timeoutMs: number
}

/** How a run ended. */
export type GitOutcome =
  | { readonly kind: 'done'; readonly output: Buffer }
  /** `message` is what it said, in English. */
  | { readonly kind: 'failed'; readonly exitCode: number | null; readonly message: string }
  | { readonly kind: 'too much' }
  | { readonly kind: 'too late' }

const mostMessageBytes = 16 * 1024

/** The limits hold for everything that git starts. `ulimit -f` counts in 512 bytes, `-v` in 1024. Source: POSIX.1-2024 ulimit. */
const limitThenRun = 'ulimit -c 0; ulimit -f "$1"; ulimit -v "$2"; shift 2; exec "$@"'

/**
 * Runs git as if nothing were configured on this machine: no system, user or repository settings, no hooks, attributes,
 * helpers or prompts, an environment of its own, in a process group that is killed as a whole, and in a sandbox where one can
 * be made. Rejects only when the signal is aborted. Source: SECURITY 5.2.
 */
export async function runGit(place: GitPlace, run: GitRun, signal: AbortSignal): Promise<GitOutcome> {
  signal.throwIfAborted()
  const blocks = String(Math.ceil(place.packBytes / 512))
  const kibibytes = String(Math.ceil(place.memoryBytes / 1024))
  const around = gitSandbox(viewOf(place, run.transport))
  const child = spawn('/bin/sh', ['-c', limitThenRun, 'sh', blocks, kibibytes, ...around, place.program, ...run.args], {
    cwd: place.folder,
    env: environmentOf(place, run.transport),
    detached: true,
    stdio: 'pipe',
  })
  const ended = ending(child)
  const { pid } = child
  // Without descriptors or processes left it has no streams.
  if (pid === undefined) return { kind: 'failed', exitCode: await ended, message: 'git cannot be started' }
  const kill = (): void => killGroup(pid)
  const late = AbortSignal.timeout(place.timeoutMs)
  const stop = AbortSignal.any([signal, late])
  stop.addEventListener('abort', kill)
  try {
    child.stdin.on('error', () => {})
    child.stdin.end(run.input ?? '')
    const [output, message, exitCode] = await Promise.all([collect(child.stdout, run.mostBytes, kill), tail(child.stderr), ended])
    signal.throwIfAborted()
    if (late.aborted) return { kind: 'too late' }
    if (output === undefined) return { kind: 'too much' }
    return exitCode === 0 ? { kind: 'done', output } : { kind: 'failed', exitCode, message }
  } finally {
    stop.removeEventListener('abort', kill)
    kill()
  }
}

/** What it is asked for decides what it sees: only the transport reaches out of its folder. */
function viewOf({ program, folder }: GitPlace, transport: GitTransport | undefined): GitView {
  const { protocol, path, caFile } = transport ?? {}
  const reads = [path, caFile].filter((one) => one !== undefined)
  return { program, folder, network: protocol === 'https', reads }
}

/** Null when a signal ended it. */
async function ending(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null]
    return exitCode
  } catch {
    return null
  }
}

/** Undefined when there is more. */
async function collect(stream: AsyncIterable<Buffer>, mostBytes: number, kill: () => void): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of stream) {
    length += part.length
    if (length <= mostBytes) parts.push(part)
    else kill()
  }
  return length <= mostBytes ? Buffer.concat(parts) : undefined
}

/** The last of what is said. */
async function tail(stream: AsyncIterable<Buffer>): Promise<string> {
  let kept = Buffer.alloc(0)
  for await (const part of stream) kept = Buffer.concat([kept, part]).subarray(-mostMessageBytes)
  return kept.toString('utf8')
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has ended, and everything it started
  }
}

/** All that git is told; settings are in the environment because command lines can be read by everybody. */
function environmentOf({ folder, fileBytes }: GitPlace, transport: GitTransport | undefined): NodeJS.ProcessEnv {
  const settings = settingsOf(fileBytes, transport)
  return {
    PATH: searchPath,
    LC_ALL: 'C',
    HOME: folder,
    TMPDIR: folder,
    GIT_DIR: join(folder, 'repository'),
    GIT_CEILING_DIRECTORIES: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ALLOW_PROTOCOL: transport?.protocol ?? '',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_SSH_COMMAND: '/bin/false',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, key],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
  }
}

function settingsOf(fileBytes: number, transport: GitTransport | undefined): readonly (readonly [string, string])[] {
  const { protocol, authorization, caFile } = transport ?? {}
  return [
    ['protocol.allow', 'never'],
    ['protocol.file.allow', protocol === 'file' ? 'always' : 'never'],
    ['protocol.https.allow', protocol === 'https' ? 'always' : 'never'],
    ['core.hooksPath', '/dev/null'],
    ['core.attributesFile', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.bigFileThreshold', String(fileBytes)],
    ['core.packedGitWindowSize', '16m'],
    ['pack.threads', '1'],
    ['credential.helper', ''],
    ['http.followRedirects', 'false'],
    ['http.lowSpeedLimit', '1'],
    ['http.lowSpeedTime', '30'],
    ['fetch.fsckObjects', 'true'],
    ['transfer.fsckObjects', 'true'],
    ['fetch.unpackLimit', '1'],
    ['fetch.recurseSubmodules', 'false'],
    ['submodule.recurse', 'false'],
    ['transfer.bundleURI', 'false'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ...(caFile === undefined ? [] : [['http.sslCAInfo', caFile] as const]),
    ...(authorization === undefined
      ? []
      : [[`http.${authorization.origin}/.extraHeader`, `Authorization: ${authorization.value}`] as const]),
  ]
}
