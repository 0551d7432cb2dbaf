import { createHash, hash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { sourceErrors } from './errors.ts'
import pLimit from 'p-limit'
import type { EntryKind, SeenEntry, TreeLook } from './tree-look.ts'

/** One file of a package with its bytes. */
export interface TreeFile {
  readonly path: string
  readonly executable: boolean
  readonly bytes: Uint8Array
}

/** One file of a package without its bytes. */
export interface HashedFile {
  readonly path: string
  readonly executable: boolean
  readonly sizeBytes: number
  /** Of its bytes, hexadecimal. */
  readonly sha256: string
}

/** A package in memory (at most the limits allow) and the digest of exactly these bytes. */
export interface PackageTree {
  readonly files: readonly TreeFile[]
  /** `sha256:` and 64 hexadecimal digits; see {@link treeDigest}. */
  readonly digest: string
}

/** Names of the kinds a package must not hold. */
const kindNames: Record<Exclude<EntryKind, 'file'>, string> = {
  link: 'a symbolic link',
  special: 'a device, socket or pipe',
  'set-id': 'a set-user-id or set-group-id file',
  unreadable: 'a folder that cannot be read',
}

/**
 * Reads every file a look saw, and only what it saw: links are not followed, and a file that differs from the look
 * before, during or after reading is `SOURCE_CHANGED`. Errors: also `SOURCE_TOO_LARGE`, `SOURCE_UNSAFE_ENTRY`.
 */
export async function readTree(look: TreeLook, signal: AbortSignal): Promise<PackageTree> {
  if (look.exceeded !== undefined) {
    throw sourceErrors.error('SOURCE_TOO_LARGE', { path: look.root, limit: look.exceeded })
  }
  for (const { path, kind } of look.entries) {
    if (kind === 'file') continue
    throw sourceErrors.error('SOURCE_UNSAFE_ENTRY', { path: join(look.root, path), kind: kindNames[kind] })
  }
  const gate = pLimit(8)
  const files = await Promise.all(look.entries.map((entry) => gate(() => readEntry(look.root, entry, signal))))
  return { files, digest: treeDigest(files) }
}

/**
 * The digest of a package: SHA-256 over the line `backplane-tree-1\n` and then, for each file in the order of its
 * path's UTF-8 bytes, `<x or -> <size in bytes> <SHA-256 of the bytes, hexadecimal> <path>` and a NUL. `x` means that
 * the owner may execute the file. Folders count only through the files in them.
 */
export function treeDigest(files: readonly TreeFile[]): string {
  return treeDigestOf(
    files.map(({ path, executable, bytes }) => {
      return { path, executable, sizeBytes: bytes.length, sha256: hash('sha256', bytes) }
    }),
  )
}

/** {@link treeDigest} of files whose bytes have been hashed. */
export function treeDigestOf(files: readonly HashedFile[]): string {
  const sum = createHash('sha256').update('backplane-tree-1\n')
  for (const { path, executable, sizeBytes, sha256 } of inOrder(files)) {
    sum.update(`${executable ? 'x' : '-'} ${sizeBytes} ${sha256} ${path}\0`)
  }
  return `sha256:${sum.digest('hex')}`
}

function inOrder(files: readonly HashedFile[]): readonly HashedFile[] {
  return files
    .map((file) => ({ file, key: Buffer.from(file.path) }))
    .sort((one, other) => Buffer.compare(one.key, other.key))
    .map(({ file }) => file)
}

async function readEntry(root: string, entry: SeenEntry, signal: AbortSignal): Promise<TreeFile> {
  signal.throwIfAborted()
  const path = join(root, entry.path)
  const changed = (cause?: unknown): Error => sourceErrors.error('SOURCE_CHANGED', { path }, { cause })
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw readFailure(path, error) ?? changed(error)
  }
  try {
    if (!(await isAsSeen(file, entry))) throw changed()
    const bytes = Buffer.allocUnsafeSlow(entry.sizeBytes)
    await fill(file, bytes, changed)
    if (!(await isAsSeen(file, entry))) throw changed()
    return { path: entry.path, executable: entry.executable, bytes }
  } finally {
    await file.close()
  }
}

async function fill(file: FileHandle, bytes: Buffer, changed: () => Error): Promise<void> {
  let length = 0
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
    if (bytesRead === 0) throw changed()
    length += bytesRead
  }
}

async function isAsSeen(file: FileHandle, entry: SeenEntry): Promise<boolean> {
  const stats = await file.stat()
  return (
    stats.isFile() &&
    stats.ino === entry.inode &&
    stats.size === entry.sizeBytes &&
    stats.mtimeMs === entry.modifiedMs &&
    stats.ctimeMs === entry.changedMs
  )
}

/** A file that is there but closed to the host is not a change. */
function readFailure(path: string, error: unknown): Error | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EIO') return undefined
  return sourceErrors.error('SOURCE_UNREADABLE', { path, reason: code }, { cause: error })
}
