import { validRange } from 'semver'
import { invalidReference } from '../invalid-reference.ts'
import type { PinnedPlace } from '../fetcher.ts'

/** What a reference such as `git:https://host/acme/s3.git@v1.2.3#plugins/s3` asks for. */
export interface GitReference {
  /** `https://…` or `file:///…`, in the one way it can be written. */
  readonly url: string
  readonly wanted: WantedRef
  /** Folder of the package below the top of the repository; absent for the top. */
  readonly path?: string
}

/** What of a repository is meant. */
export type WantedRef =
  /** The branch the repository names itself. */
  | { readonly kind: 'head' }
  /** 40 or 64 hexadecimal digits. */
  | { readonly kind: 'commit'; readonly commit: string }
  /** A tag or a branch; `refs/tags/…` and `refs/heads/…` say which. */
  | { readonly kind: 'name'; readonly name: string }
  /** Tags that are versions, within a SemVer range. */
  | { readonly kind: 'range'; readonly range: string }

const example = 'git:https://git.example.org/acme/s3.git@v1.2.3#plugins/s3'
const mostCharacters = 1024

const commitPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const folders = String.raw`(?:/[A-Za-z0-9_~+][A-Za-z0-9_~.+-]*)+`
const urlPattern = new RegExp(String.raw`^(?:https://${label}(?:\.${label})*(?::[1-9]\d{0,4})?|file://)${folders}$`)
const refPattern = /^[A-Za-z0-9_@](?:[A-Za-z0-9_@.+/-]*[A-Za-z0-9_+-])?$/
const pathPattern = /^[A-Za-z0-9_@+][A-Za-z0-9_@.+-]*(?:\/[A-Za-z0-9_@+][A-Za-z0-9_@.+-]*)*$/

/**
 * Reads a reference, of which everything that a shell, git or a server might take for something else is refused: nothing is
 * escaped, decoded or put right. Errors: `FETCH_REFERENCE_INVALID`. Source: SECURITY 5.2; git-check-ref-format(1).
 */
export function readGitReference(reference: string): GitReference {
  const refuse = (problem: string): never => {
    throw invalid(reference, problem)
  }
  if (reference.length > mostCharacters) refuse(`it has more than ${mostCharacters} characters`)
  if (/[^\x20-\x7e]/.test(reference)) refuse('it holds a character other than those of printable ASCII')
  const [, kind, scheme, rest = ''] = /^(git)(?:\+([a-z]+))?:(.*)$/.exec(reference) ?? []
  if (kind === undefined) refuse('it does not begin with git:')
  const [beforePath = '', ...paths] = (scheme === undefined ? rest : `${scheme}:${rest}`).split('#')
  if (paths.length > 1) refuse('it holds two "#"')
  const at = beforePath.indexOf('@')
  const url = at === -1 ? beforePath : beforePath.slice(0, at)
  const problem = urlProblem(url) ?? pathProblem(paths[0])
  if (problem !== undefined) refuse(problem)
  const wanted = at === -1 ? ({ kind: 'head' } as const) : readWanted(beforePath.slice(at + 1), refuse)
  return { url, wanted, ...(paths[0] === undefined ? {} : { path: paths[0] }) }
}

/** A place as it may be in a lock that somebody edited; judged like a reference. Errors: `FETCH_REFERENCE_INVALID`. */
export function checkGitPlace({ url, commit, ref, path }: Extract<PinnedPlace, { kind: 'git' }>): void {
  const problem =
    urlProblem(url) ??
    pathProblem(path) ??
    (commitPattern.test(commit) ? undefined : 'its commit is not 40 or 64 hexadecimal digits') ??
    (ref === undefined || (/^refs\/(?:heads|tags)\/./.test(ref) && isRefName(ref))
      ? undefined
      : 'its ref is no branch and no tag')
  if (problem !== undefined) throw invalid(url, problem)
}

function readWanted(text: string, refuse: (problem: string) => never): WantedRef {
  if (commitPattern.test(text)) return { kind: 'commit', commit: text }
  if (/^[\^~*<>=]/.test(text)) {
    return validRange(text) === null ? refuse(`${text} is no range of versions`) : { kind: 'range', range: text }
  }
  if (text === 'HEAD') return { kind: 'head' }
  if (!isRefName(text)) return refuse('what follows the "@" is no plain name of a branch or tag')
  if (text.startsWith('refs/') && !/^refs\/(?:heads|tags)\/./.test(text)) return refuse('of refs/, only heads and tags are taken')
  return { kind: 'name', name: text }
}

function isRefName(text: string): boolean {
  if (!refPattern.test(text) || /@\{|\.\.|^@$/.test(text)) return false
  return text.split('/').every((part) => part !== '' && !/^[.-]|\.$|\.lock$/.test(part))
}

function urlProblem(url: string): string | undefined {
  if (/^[a-z]+:\/\/[^/]*$/.test(url))
    return 'what comes before the "@" is no address of a repository; credentials do not belong there'
  if (!urlPattern.test(url)) return 'its address is not of the form https://host/path'
  if (!URL.canParse(url)) return 'its address cannot be read'
  const { href } = new URL(url)
  return href === url ? undefined : `its address is written ${href}`
}

function pathProblem(path: string | undefined): string | undefined {
  if (path === undefined || pathPattern.test(path)) return undefined
  return 'what follows the "#" is no plain path of a folder in the repository'
}

function invalid(reference: string, problem: string): Error {
  return invalidReference(reference, problem, example)
}
