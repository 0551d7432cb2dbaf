import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { chainStart, readLine, type ChainPlace } from './audit-chain.ts'
import { auditFilePath, auditFiles, auditLines, syncDirectory, type AuditFile } from './audit-files.ts'

/** Where a log that is opened goes on. */
export interface AuditTail {
  readonly last: ChainPlace
  /** The file to go on in, and its size; undefined: a new one. */
  readonly file: { readonly path: string; readonly sizeBytes: number } | undefined
  /** What was found and is to be written down first; undefined when all was well. */
  readonly found: { readonly action: 'audit.repaired' | 'audit.broken'; readonly reason: string } | undefined
}

/**
 * Finds the end of a log. What was being written when the host was killed is cut off: nobody was told that it was done.
 * Whatever else is wrong stays as it is, for whoever looks into it, and the log goes on in a new file behind the head.
 */
export async function findTail(directory: string, key: Uint8Array, head: ChainPlace | 'lost' | undefined): Promise<AuditTail> {
  const known = head === 'lost' ? undefined : head
  const files = await auditFiles(directory)
  const newest = files.at(-1)
  if (newest === undefined) {
    if (known === undefined) return { last: chainStart, file: undefined, found: lostHead(head) }
    return { last: known, file: undefined, found: broken(`all records up to ${known.seq} are missing`) }
  }
  const end = await endOf(newest, key)
  const isTold = known !== undefined && known.seq >= newest.first
  if (end.last === undefined && !end.moreRecords && !isTold && files.length > 1) {
    // Begun, and killed before its first record was whole.
    await rm(newest.path)
    await syncDirectory(directory)
    return withRepair(await findTail(directory, key, head), end.tornBytes)
  }
  const reason = whatIsWrong(end, newest, known)
  if (reason !== undefined) {
    const last = known !== undefined && known.seq >= (end.last?.seq ?? 0) ? known : (end.last ?? beforeOf(newest))
    await moveAside(auditFilePath(directory, last.seq + 1))
    return { last, file: undefined, found: broken(reason) }
  }
  if (end.tornBytes > 0) await cutTo(newest.path, end.sizeBytes)
  const tail = {
    last: end.last ?? beforeOf(newest),
    file: { path: newest.path, sizeBytes: end.sizeBytes },
    found: lostHead(head === undefined ? 'lost' : head),
  }
  return withRepair(tail, end.tornBytes)
}

interface FileEnd {
  /** The last record before the first line that is none. */
  readonly last: ChainPlace | undefined
  /** Up to there. */
  readonly sizeBytes: number
  readonly tornBytes: number
  /** Whether a whole line stands behind it, so that this is more than a record that was not written to its end. */
  readonly moreRecords: boolean
  readonly digests: ReadonlyMap<number, string>
}

async function endOf({ path }: AuditFile, key: Uint8Array): Promise<FileEnd> {
  const digests = new Map<number, string>()
  let last: ChainPlace | undefined
  let sizeBytes = 0
  let tornBytes = 0
  let moreRecords = false
  for await (const lines of auditLines(path)) {
    for (const { text, offset, sizeBytes: bytes, ended } of lines) {
      const read = readLine(text, key)
      const follows =
        read.kind === 'record' &&
        ended &&
        (last === undefined || (read.record.prev === last.digest && read.record.seq === last.seq + 1))
      if (tornBytes > 0 || !follows) {
        tornBytes += bytes
        moreRecords ||= read.kind !== 'nonsense' && ended
        continue
      }
      last = { seq: read.record.seq, digest: read.record.digest }
      digests.set(last.seq, last.digest)
      sizeBytes = offset + bytes
    }
  }
  return { last, sizeBytes, tornBytes, moreRecords, digests }
}

function whatIsWrong(end: FileEnd, { first, path }: AuditFile, head: ChainPlace | undefined): string | undefined {
  const lastSeq = end.last?.seq ?? first - 1
  if (end.moreRecords) return `${path} holds what is no record of this log behind record ${lastSeq}`
  if (head === undefined) return undefined
  if (head.seq > lastSeq) return `records ${lastSeq + 1} to ${head.seq} are missing`
  const digest = end.digests.get(head.seq)
  return digest === undefined || digest === head.digest ? undefined : `record ${head.seq}, or one before it, was rewritten`
}

function broken(reason: string): AuditTail['found'] {
  return { action: 'audit.broken', reason }
}

function lostHead(head: unknown): AuditTail['found'] {
  return head === 'lost' ? { action: 'audit.broken', reason: 'what is kept of the end of the log elsewhere was lost' } : undefined
}

function withRepair(tail: AuditTail, tornBytes: number): AuditTail {
  if (tornBytes === 0 || tail.found !== undefined) return tail
  const reason = `${tornBytes} bytes of a record that was not written to its end were cut off`
  return { ...tail, found: { action: 'audit.repaired', reason } }
}

/** Without a record to go by, the chain begins again behind the number that the file's name says. */
function beforeOf({ first }: AuditFile): ChainPlace {
  return { seq: Math.max(0, first - 1), digest: chainStart.digest }
}

async function cutTo(path: string, sizeBytes: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.truncate(sizeBytes)
  await file.sync()
}

/** A file in the way keeps its bytes under another name. */
async function moveAside(path: string): Promise<void> {
  try {
    await rename(path, `${path}.damaged-${Date.now()}`)
    await syncDirectory(dirname(path))
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'ENOENT') throw error
  }
}
