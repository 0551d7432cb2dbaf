import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { sourceErrors } from '../errors.ts'
import type { PinnedPlace } from '../fetch/fetcher.ts'
import { jsonProblem } from '../json-problem.ts'
import { messageOf } from '../message-of.ts'
import { readTextAtMost } from '../read-text-at-most.ts'
import { replaceFile } from '../replace-file.ts'
import { lockProblem } from './lock-problem.ts'

/** `backplane.lock`: what was approved and is to run, on every platform. JSON with sorted keys; written by one rename. */
export interface LockFile {
  readonly lockVersion: 1
  /** By plugin id. */
  readonly plugins: Readonly<Record<string, LockedPlugin>>
}

/** One approved plugin. */
export interface LockedPlugin {
  readonly version: string
  /** What was asked for, such as `npm:@acme/s3@^1.2`; absent for what is there only because others depend on it. */
  readonly requested?: string
  /** By platform (`linux-x64`), or `any`. */
  readonly artifacts: Readonly<Record<string, LockedArtifact>>
  /** Who vouched for it when it was approved; absent when nobody did. */
  readonly publisher?: string
  /** Permissions that were approved, as the manifest writes them; sorted. */
  readonly permissions: readonly string[]
  /** Permissions that are kept from it, whether this version asks for them or not; sorted. Absent: none. */
  readonly withheld?: readonly string[]
  /** Ids it depends on → the range it asks for. */
  readonly dependencies: Readonly<Record<string, string>>
}

/** Bytes of one platform. */
export interface LockedArtifact {
  readonly place: PinnedPlace
  /** Of the tree. */
  readonly digest: string
  /** Of the archive it came in. */
  readonly archive?: string
  /** The same archive's `sha512:…`: what the provenance of npm is about, so that it can be judged at every start. */
  readonly archiveSha512?: string
  /** When its source said it was published, ms since the epoch. */
  readonly publishedAtMs?: number
}

/** A lock as it was read, and what tells whether it is still that. */
export interface LockReading {
  readonly lock: LockFile
  /** Of the text; of the empty text when there is no file. */
  readonly etag: string
}

/** Newest format this version reads and writes. */
const knownVersion = 1
/** Size of a lock, bytes: some twenty thousand plugins. */
const defaultMostBytes = 16 * 1024 * 1024
/** Nesting of a lock's values. */
const depthLimit = 8

/** Reads a lock; one that does not exist is empty; one of more than `mostBytes` (16 MiB) is none. Errors: `LOCK_INVALID` with line and column, `LOCK_TOO_NEW`, `SOURCE_UNREADABLE`. */
export async function readLock(path: string, mostBytes: number = defaultMostBytes): Promise<LockReading> {
  const text = await readText(path, mostBytes)
  return { lock: readLockText(text, path), etag: hash('sha256', text) }
}

/** The lock in a text; an empty one is an empty lock. `path` is for errors. Errors: `LOCK_INVALID` with line and column, `LOCK_TOO_NEW`. */
export function readLockText(text: string, path: string): LockFile {
  if (text === '') return { lockVersion: 1, plugins: {} }
  const parsed = parseStrictJson(text, depthLimit)
  if (parsed.kind !== 'value') throw invalid(path, jsonProblem(text, parsed))
  const { value } = parsed
  const found: unknown = Reflect.get(Object(value), 'lockVersion')
  if (typeof found === 'number' && found > knownVersion) {
    throw sourceErrors.error('LOCK_TOO_NEW', { path, found, known: knownVersion })
  }
  const problem = lockProblem(text, value)
  if (problem !== undefined) throw invalid(path, problem)
  return value as LockFile
}

/**
 * Puts a lock in the place of the one that was read; a kill leaves the old one or the new. Errors: `LOCK_CHANGED` when it is
 * not that one any more, `LOCK_FAILED`.
 */
export async function writeLock(path: string, lock: LockFile, readEtag: string): Promise<string> {
  const file = resolve(path)
  const text = lockText(lock)
  if ((await readLock(file)).etag !== readEtag) throw sourceErrors.error('LOCK_CHANGED', { path })
  try {
    await replaceFile(file, text)
  } catch (error) {
    throw sourceErrors.error('LOCK_FAILED', { path, reason: messageOf(error) }, { cause: error })
  }
  return hash('sha256', text)
}

/** The text of a lock: equal locks have equal texts, and a change is a few lines of a diff. */
export function lockText(lock: LockFile): string {
  return `${JSON.stringify(sorted(lock), undefined, 2)}\n`
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(
    entries.sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, member]) => [key, sorted(member)]),
  )
}

async function readText(path: string, mostBytes: number): Promise<string> {
  const reading = await readTextAtMost(path, mostBytes)
  if (reading.kind === 'refused') throw invalid(path, { problem: reading.problem, line: 1, column: 1 })
  return reading.kind === 'absent' ? '' : reading.text
}

function invalid(path: string, where: { readonly problem: string; readonly line: number; readonly column: number }): Error {
  return sourceErrors.error('LOCK_INVALID', { path, ...where }, { details: { path, ...where } })
}
