import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sourceErrors } from '../../errors.ts'
import { makePrivateFolder, removeLeftovers } from '../../private-folder.ts'
import { stagingName } from '../../staging-name.ts'
import type { GitLimits } from './git-limits.ts'
import { runGit, type GitOutcome, type GitPlace, type GitRun, type GitTransport } from './run-git.ts'

/** One reference of a repository. */
export interface NamedCommit {
  /** `HEAD`, `refs/heads/main`, `refs/tags/v1.2.3`. */
  readonly name: string
  /** An annotated tag's is that of what it is about. */
  readonly commit: string
}

/** How a repository on a server, or in a folder, is looked at. */
export interface GitAccess {
  readonly url: string
  readonly transport: GitTransport
}

/** A private folder that git works in; nothing is checked out into it, and it is removed on disposal. */
export class GitRepository implements AsyncDisposable {
  readonly #place: GitPlace
  readonly #limits: GitLimits
  readonly #name: Disposable

  private constructor(place: GitPlace, limits: GitLimits, name: Disposable) {
    this.#place = place
    this.#limits = limits
    this.#name = name
  }

  /**
   * `temporary`: where the folder is made, which only its user may enter; what killed processes left there goes first.
   * Errors: `SOURCE_STORE_UNSAFE`.
   */
  static async open(limits: GitLimits, program: string, temporary: string = ownTemporary()): Promise<GitRepository> {
    await makePrivateFolder(temporary)
    await removeLeftovers(temporary)
    const unique = stagingName()
    const folder = join(temporary, unique.name)
    await mkdir(folder, { mode: 0o700 })
    return new GitRepository({ ...limits, program, folder }, limits, unique)
  }

  /** Refuses a git that would not hear all that it is told. Errors: `FETCH_UNREACHABLE`. */
  async checkProgram(url: string, signal: AbortSignal): Promise<void> {
    const output = await this.ask(url, { args: ['version'], mostBytes: 1024 }, signal)
    const [, major, minor] = /^git version (\d+)\.(\d+)/.exec(output.toString('utf8')) ?? []
    const isKnown = Number(major) > oldest.major || (Number(major) === oldest.major && Number(minor) >= oldest.minor)
    if (!isKnown) throw unreachable(url, `git must be ${oldest.major}.${oldest.minor} or newer here`)
  }

  /** What a repository has under these names, or patterns such as `refs/tags/*`. Errors: those of {@link gitError}. */
  async names({ url, transport }: GitAccess, patterns: readonly string[], signal: AbortSignal): Promise<readonly NamedCommit[]> {
    const run: GitRun = { args: ['ls-remote', '--quiet', '--', url, ...patterns], mostBytes: this.#limits.listBytes, transport }
    const outcome = await runGit(this.#place, run, signal)
    if (outcome.kind !== 'done') throw gitError(url, outcome, this.#limits)
    const commits = new Map<string, string>()
    for (const line of outcome.output.toString('utf8').split('\n')) {
      const [, commit, name, peeled] = /^([0-9a-f]{40}|[0-9a-f]{64})\t([^\s^]+)(\^\{\})?$/.exec(line) ?? []
      if (commit === undefined || name === undefined) continue
      if (peeled !== undefined || !commits.has(name)) commits.set(name, commit)
    }
    return [...commits].map(([name, commit]) => ({ name, commit }))
  }

  /** Fetches exactly one commit, without what came before it. False when the repository does not have it. */
  async fetch({ url, transport }: GitAccess, commit: string, signal: AbortSignal): Promise<boolean> {
    const format = commit.length === 64 ? 'sha256' : 'sha1'
    await this.ask(
      url,
      { args: ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`], mostBytes: 1024 },
      signal,
    )
    const options = [
      '--quiet',
      '--depth=1',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--no-auto-maintenance',
    ]
    const run: GitRun = { args: ['fetch', ...options, '--', url, commit], mostBytes: 1024, transport }
    const outcome = await runGit(this.#place, run, signal)
    if (outcome.kind === 'done') return true
    const isMissing =
      outcome.kind === 'failed' && /not our ref|unadvertised object|couldn't find remote ref/i.test(outcome.message)
    if (isMissing) return false
    throw (await this.#isFull()) ? tooLarge(url, this.#limits) : gitError(url, outcome, this.#limits)
  }

  /** Whether a pack has reached the size at which the system ends whoever writes to it, without a word. */
  async #isFull(): Promise<boolean> {
    const folder = join(this.#place.folder, 'repository', 'objects', 'pack')
    const names = await readdir(folder).catch(() => [])
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
    return sizes.some((size) => size >= this.#limits.packBytes)
  }

  /** The answer of a run that asks no server. */
  async ask(url: string, run: GitRun, signal: AbortSignal): Promise<Buffer> {
    const outcome = await runGit(this.#place, run, signal)
    if (outcome.kind === 'done') return outcome.output
    throw gitError(url, outcome, this.#limits)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#place.folder, { recursive: true, force: true, maxRetries: 3 })
    this.#name[Symbol.dispose]()
  }
}

/** Of the user, so that nobody else has made it. */
function ownTemporary(): string {
  return join(tmpdir(), `backplane-git-${process.getuid?.() ?? 'user'}`)
}

/** Before, it does not read its settings from the environment (2.31), or those of a user all the same (2.32). */
const oldest = { major: 2, minor: 32 }

const denied =
  /authentication failed|could not read (?:username|password)|returned error: 40[13]|access denied|permission denied/i
const missing =
  /repository .* not found|returned error: 4(?:04|10)|does not appear to be a git repository|does not exist|access denied or repository not exported/i
const redirected = /returned error: 30\d|unable to update url base from redirection/i
const overfull = /signal 25|file too large|out of memory|cannot allocate memory|mmap failed|unable to create thread/i

/**
 * What git's end means. Errors: `FETCH_UNREACHABLE`, `FETCH_DENIED`, `FETCH_NOT_FOUND`, `FETCH_ADDRESS_REFUSED`,
 * `FETCH_TOO_LARGE`, `FETCH_RESPONSE_INVALID`.
 */
function gitError(url: string, outcome: Exclude<GitOutcome, { kind: 'done' }>, limits: GitLimits): Error {
  switch (outcome.kind) {
    case 'too much':
      return sourceErrors.error('FETCH_TOO_LARGE', { place: url, limit: `${limits.listBytes} bytes of names (listBytes)` })
    case 'too late':
      return unreachable(url, `git did not finish within ${limits.timeoutMs / 1000} s`)
    case 'failed': {
      const { message, exitCode } = outcome
      const reason = said(message)
      if (exitCode === 127) return unreachable(url, 'git is not installed here, or cannot be started')
      if (overfull.test(message)) return tooLarge(url, limits)
      if (redirected.test(message)) {
        return sourceErrors.error('FETCH_ADDRESS_REFUSED', { place: url, reason: 'it leads on to another address' })
      }
      if (missing.test(message)) return sourceErrors.error('FETCH_NOT_FOUND', { reference: url, reason })
      if (denied.test(message)) return sourceErrors.error('FETCH_DENIED', { place: url, reason })
      if (/fsck|index-pack|bad object|invalid|dumb http/i.test(message) && !/early EOF|disconnect/i.test(message)) {
        return sourceErrors.error('FETCH_RESPONSE_INVALID', { place: url, problem: reason })
      }
      return unreachable(url, reason)
    }
  }
}

function tooLarge(place: string, { packBytes, memoryBytes }: GitLimits): Error {
  const limit = `${packBytes} bytes packed, or ${memoryBytes} unpacked (packBytes, memoryBytes)`
  return sourceErrors.error('FETCH_TOO_LARGE', { place, limit })
}

function unreachable(place: string, reason: string): Error {
  return sourceErrors.error('FETCH_UNREACHABLE', { place, reason })
}

/** The first complaint, as it may be shown: what a server says is among it. */
function said(message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '')
  const line = lines.find((one) => one.startsWith('fatal: ')) ?? lines[0] ?? 'git ended without a word'
  return line
    .replace(/^fatal: /, '')
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, 200)
}
