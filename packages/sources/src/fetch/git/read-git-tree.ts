import { hash } from 'node:crypto'
import { EntryList } from '../../archive/entry-list.ts'
import { isHidden } from '../../archive/archive-tree.ts'
import { defaultArchiveLimits } from '../../archive/archive-limits.ts'
import { shownName } from '../../archive/refuse.ts'
import { sourceErrors } from '../../errors.ts'
import { treeDigestOf, type HashedFile, type PackageTree, type TreeFile } from '../../read-tree.ts'
import { timeSlice } from '../../time-slice.ts'
import type { FetchOptions } from '../fetcher.ts'
import type { GitLimits } from './git-limits.ts'
import type { GitRepository } from './git-repository.ts'

/** A commit that has been fetched, and the folder of it that is wanted. */
export interface WantedTree {
  readonly url: string
  readonly commit: string
  readonly path?: string
}

/** A package as git keeps it. */
export interface GitTree extends PackageTree {
  /** What lies under names with a dot in front; no part of the package. */
  readonly hidden: readonly TreeFile[]
}

/**
 * Reads the files of a commit from git's own store of objects, after all their names and sizes have been judged. Neither
 * `git checkout` nor `git archive` is asked, which change bytes as `.gitattributes` says; what is read is what was committed.
 * Errors: `FETCH_NOT_FOUND`, `FETCH_TOO_LARGE`, `FETCH_RESPONSE_INVALID`, `SOURCE_UNSAFE_ENTRY` for links, submodules and
 * what Git LFS keeps elsewhere, `ARCHIVE_PATH_…`, `ARCHIVE_TWIN` and those of limits.
 */
export async function readGitTree(
  repository: GitRepository,
  wanted: WantedTree,
  limits: GitLimits,
  { signal, onProgress }: FetchOptions,
): Promise<GitTree> {
  const entries = await listEntries(repository, wanted, limits, signal)
  const total = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  onProgress?.({ done: 0, total })
  const all = await readFiles(repository, wanted, entries, signal)
  onProgress?.({ done: total, total })
  const files = all.filter(({ path }) => !isHidden(path))
  return { files, digest: treeDigestOf(files), hidden: all.filter(({ path }) => isHidden(path)) }
}

type ReadFile = TreeFile & HashedFile

interface Entry {
  readonly object: string
  readonly path: string
  readonly executable: boolean
  readonly sizeBytes: number
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `<mode> <type> <object> <size>\t<path>` and a NUL for each. Source: git-ls-tree(1). */
async function listEntries(
  repository: GitRepository,
  wanted: WantedTree,
  limits: GitLimits,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const { url, commit, path = '' } = wanted
  await checkFolder(repository, wanted, signal)
  const args = ['ls-tree', '-r', '-l', '-z', '--full-tree', '--end-of-options', `${commit}:${path}`]
  const output = await repository.ask(url, { args, mostBytes: limits.listBytes }, signal)
  const names = new EntryList({ ...defaultArchiveLimits, ...limits })
  return textOf(output, wanted)
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const [, mode = '', object = '', size = '', name = ''] = /^(\d{6}) \w+ ([0-9a-f]{40,64}) +(\d+|-)\t(.*)$/s.exec(line) ?? []
      const kind = unsafeKinds.get(mode.slice(0, 3))
      if (kind !== undefined) throw unsafe(wanted, name, kind)
      if (mode.slice(0, 3) !== '100') throw invalid(wanted, `its list of files holds ${shownName(line)}`)
      const sizeBytes = Number(size)
      names.addFile(name, sizeBytes)
      return { object, path: name, executable: (Number.parseInt(mode, 8) & 0o100) !== 0, sizeBytes }
    })
}

const unsafeKinds: ReadonlyMap<string, string> = new Map([
  ['120', 'a symbolic link'],
  ['160', 'a submodule'],
])

async function checkFolder(repository: GitRepository, wanted: WantedTree, signal: AbortSignal): Promise<void> {
  const { url, commit, path = '' } = wanted
  const input = `${commit}\n${commit}:${path}\n`
  const output = await repository.ask(url, { args: ['cat-file', '--batch-check=%(objecttype)'], input, mostBytes: 4096 }, signal)
  const [type = '', folder = ''] = output.toString('utf8').split('\n')
  if (type !== 'commit') throw invalid(wanted, `${commit} is no commit`)
  if (folder === 'tree') return
  const reason = `there is no folder ${path} at ${commit}`
  throw sourceErrors.error('FETCH_NOT_FOUND', { reference: `git:${url}#${path}`, reason })
}

async function readFiles(
  repository: GitRepository,
  wanted: WantedTree,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<readonly ReadFile[]> {
  const input = entries.map(({ object }) => `${object}\n`).join('')
  const mostBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes + mostHeaderBytes, 0)
  const output = await repository.ask(wanted.url, { args: ['cat-file', '--batch'], input, mostBytes }, signal)
  const breathe = timeSlice()
  const files: ReadFile[] = []
  let at = 0
  for (const { object, path, executable, sizeBytes } of entries) {
    const pause = breathe()
    if (pause !== undefined) await pause
    signal.throwIfAborted()
    const header = `${object} blob ${sizeBytes}\n`
    const start = at + header.length
    const end = start + sizeBytes
    const isWhole = output.toString('latin1', at, start) === header && output[end] === 0x0a
    if (!isWhole) throw invalid(wanted, `git gave something else for ${shownName(path)}`)
    at = end + 1
    const bytes = output.subarray(start, end)
    if (isLfsPointer(bytes)) throw unsafe(wanted, path, 'a pointer of Git LFS, whose file is kept elsewhere')
    files.push({ path, executable, bytes, sizeBytes, sha256: hash('sha256', bytes) })
  }
  return files
}

/** Digits of a SHA-256 and of a size, and what is between and after them. */
const mostHeaderBytes = 128

/** Source: Git LFS specification, "The Pointer". */
function isLfsPointer(bytes: Buffer): boolean {
  return bytes.length < 1024 && bytes.toString('latin1', 0, 64).startsWith('version https://git-lfs.github.com/spec/v1\n')
}

function textOf(output: Buffer, wanted: WantedTree): string {
  try {
    return decoder.decode(output)
  } catch {
    throw invalid(wanted, 'the names of its files are not UTF-8')
  }
}

function unsafe({ url }: WantedTree, name: string, kind: string): Error {
  return sourceErrors.error('SOURCE_UNSAFE_ENTRY', { path: `git:${url}: ${shownName(name)}`, kind })
}

function invalid({ url }: WantedTree, problem: string): Error {
  return sourceErrors.error('FETCH_RESPONSE_INVALID', { place: `git:${url}`, problem })
}
