import { sourceErrors } from '../../errors.ts'
import { manifestIn } from '../../manifest-in.ts'
import { attestationsAmong } from '../package-in-archive.ts'
import type { AvailableVersion, FetchedPackage, Fetcher, FetchOptions, PinnedPlace } from '../fetcher.ts'
import { accessTo, type GitHost } from './git-access.ts'
import { defaultGitLimits, type GitLimits } from './git-limits.ts'
import { checkGitPlace, readGitReference, type GitReference, type WantedRef } from './git-reference.ts'
import { GitRepository, type NamedCommit } from './git-repository.ts'
import { versionTags } from './git-versions.ts'
import { readGitTree } from './read-git-tree.ts'

/** Which repositories may be asked, and what is too much. */
export interface GitFetcherOptions {
  /** Hosts that packages may come from, by `host` or `host:port`; all others are refused. Only over https. */
  readonly hosts?: Readonly<Record<string, GitHost>>
  /** Folders that repositories may be read from by `file:`, for machines without a network. Default: none. */
  readonly folders?: readonly string[]
  readonly limits?: Partial<GitLimits>
  /** Default: `git`, looked for in `/usr/local/bin`, `/usr/bin` and `/bin`. */
  readonly program?: string
  /**
   * A folder of this host alone (0700), in which a private one is made for each fetch; what killed processes left in it is removed
   * at the next. Default: one of this user in the system's temporary folder.
   */
  readonly temporary?: string
}

type GitPlace = Extract<PinnedPlace, { kind: 'git' }>

/**
 * Packages in git: `git:https://host/acme/s3.git@v1.2.3#plugins/s3`; what follows the `@` is a branch, a tag, a full commit or
 * a range (`^1.2`) over the tags that are versions. Needs the program `git`, which is told nothing of this machine's
 * settings; nothing is checked out, no hook, filter, submodule or LFS has a part in it. A tag that leads to another commit
 * than was pinned is `FETCH_CHANGED`. `publishedAtMs` is absent: a commit's date is whatever its author wrote. Errors also:
 * `FETCH_REFERENCE_INVALID`, `FETCH_ADDRESS_REFUSED`, those of {@link readGitTree} and of git.
 */
export function gitFetcher(options: GitFetcherOptions = {}): Fetcher {
  return new GitFetcher(options)
}

class GitFetcher implements Fetcher {
  readonly kind = 'git'
  readonly #options: GitFetcherOptions
  readonly #limits: GitLimits
  /** What had to be fetched to know its version is not fetched again; gone with the place. */
  readonly #known = new WeakMap<PinnedPlace, FetchedPackage>()

  constructor(options: GitFetcherOptions) {
    this.#options = options
    this.#limits = { ...defaultGitLimits, ...options.limits }
  }

  async versions(reference: string, options: FetchOptions): Promise<readonly AvailableVersion[]> {
    const asked = readGitReference(reference)
    const { url, wanted, path } = asked
    const access = await accessTo(url, this.#options, options.signal)
    if (wanted.kind === 'commit') return this.#only({ name: '', commit: wanted.commit }, asked, options)
    await using repository = await this.#open(url, options.signal)
    const named = await repository.names(access, patternsOf(wanted), options.signal)
    if (wanted.kind !== 'range') return await this.#only(chosen(named, wanted, url), asked, options)
    const found = versionTags(named, wanted.range, path).slice(0, this.#limits.versions)
    return found.map((tag) => ({ version: tag.version, place: placeOf(tag, url, path) }))
  }

  async fetch(place: PinnedPlace, options: FetchOptions): Promise<FetchedPackage> {
    if (place.kind !== 'git') throw new TypeError(`${place.kind} is no place of this fetcher`)
    const known = this.#known.get(place)
    if (known !== undefined) return known
    checkGitPlace(place)
    const { url, commit, ref } = place
    const access = await accessTo(url, this.#options, options.signal)
    await using repository = await this.#open(url, options.signal)
    if (ref?.startsWith('refs/tags/') === true) {
      const named = await repository.names(access, [ref, `${ref}^{}`], options.signal)
      const now = named.find(({ name }) => name === ref)?.commit
      if (now === undefined) throw changed(url, `the tag ${ref} is gone`)
      if (now !== commit) throw changed(url, `the tag ${ref} leads to ${now}, not to ${commit}`)
    }
    if (!(await repository.fetch(access, commit, options.signal))) throw changed(url, `the commit ${commit} is gone from it`)
    return await this.#read(place, repository, options)
  }

  async #open(url: string, signal: AbortSignal): Promise<GitRepository> {
    const { program = 'git', temporary } = this.#options
    await using opened = new AsyncDisposableStack()
    const repository = opened.use(await GitRepository.open(this.#limits, program, temporary))
    await repository.checkProgram(url, signal)
    opened.move()
    return repository
  }

  /** The one version of a commit, which only its manifest knows. */
  async #only(found: NamedCommit, { url, path }: GitReference, options: FetchOptions): Promise<readonly AvailableVersion[]> {
    const place = placeOf(found, url, path)
    const access = await accessTo(url, this.#options, options.signal)
    await using repository = await this.#open(url, options.signal)
    if (!(await repository.fetch(access, found.commit, options.signal))) {
      throw notFound(url, `it has no commit ${found.commit}, or does not give it away`)
    }
    const fetched = await this.#read(place, repository, options)
    const version: unknown = Reflect.get(Object(fetched.manifest), 'version')
    if (typeof version !== 'string') return []
    this.#known.set(place, fetched)
    return [{ version, place, manifest: fetched.manifest }]
  }

  async #read(place: GitPlace, repository: GitRepository, options: FetchOptions): Promise<FetchedPackage> {
    const { files, digest, hidden } = await readGitTree(repository, place, this.#limits, options)
    const manifest = manifestIn(files, `git:${place.url}`)
    return { place, tree: { files, digest }, manifest, attestations: attestationsAmong(hidden) }
  }
}

function patternsOf(wanted: Exclude<WantedRef, { kind: 'commit' }>): readonly string[] {
  switch (wanted.kind) {
    case 'head':
      return ['HEAD']
    case 'range':
      return ['refs/tags/*']
    case 'name':
      return candidates(wanted.name).flatMap((name) => [name, `${name}^{}`])
  }
}

/** A tag before a branch of the same name. */
function candidates(name: string): readonly string[] {
  return name.startsWith('refs/') ? [name] : [`refs/tags/${name}`, `refs/heads/${name}`]
}

function chosen(
  named: readonly NamedCommit[],
  wanted: Exclude<WantedRef, { kind: 'commit' | 'range' }>,
  url: string,
): NamedCommit {
  const names = wanted.kind === 'head' ? ['HEAD'] : candidates(wanted.name)
  const found = names.map((name) => named.find((one) => one.name === name)).find((one) => one !== undefined)
  if (found !== undefined) return found
  if (wanted.kind === 'head') throw notFound(url, 'it is empty, or no repository')
  const hint = /^[0-9a-f]{7,39}$/.test(wanted.name) ? '; a commit is named by all of its digits' : ''
  throw notFound(url, `it has no tag and no branch ${wanted.name}${hint}`)
}

function placeOf({ name, commit }: NamedCommit, url: string, path: string | undefined): GitPlace {
  return { kind: 'git', url, commit, ...(name.startsWith('refs/') ? { ref: name } : {}), ...(path === undefined ? {} : { path }) }
}

function notFound(url: string, reason: string): Error {
  return sourceErrors.error('FETCH_NOT_FOUND', { reference: `git:${url}`, reason })
}

function changed(url: string, problem: string): Error {
  return sourceErrors.error('FETCH_CHANGED', { place: `git:${url}`, problem })
}
