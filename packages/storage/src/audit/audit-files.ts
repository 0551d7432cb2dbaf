import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { storageErrors } from '../errors.ts'

/** A file of the log. */
export interface AuditFile {
  readonly path: string
  /** Number of its first record, as its name says; 0 when the name says none. */
  readonly first: number
}

/** One line, as it stands in a file. */
export interface AuditLine {
  readonly text: string
  /** From 1. */
  readonly number: number
  /** Where it begins, bytes. */
  readonly offset: number
  /** With its end. */
  readonly sizeBytes: number
  /** False for what stands behind the last end of line, and for each part of a line that is longer than anything written here. */
  readonly ended: boolean
}

/** Longer lines are read as nonsense: no record is that long. */
export const longestLineBytes: number = 64 * 1024

const name = /^(\d{12})\.jsonl$/

/** Path of the file whose first record has this number. */
export function auditFilePath(directory: string, first: number): string {
  return join(directory, `${String(first).padStart(12, '0')}.jsonl`)
}

/** The files of a log in the order of their records; of a path that is no directory, that one. Errors: `AUDIT_UNREADABLE`. */
export async function auditFiles(path: string): Promise<readonly AuditFile[]> {
  try {
    const names = (await stat(path)).isDirectory() ? await readdir(path) : undefined
    if (names === undefined) return [{ path, first: Number(name.exec(basename(path))?.[1] ?? 0) }]
    return names
      .toSorted()
      .flatMap((each) => (name.test(each) ? [{ path: join(path, each), first: Number(name.exec(each)?.[1]) }] : []))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw storageErrors.error('AUDIT_UNREADABLE', { path, reason }, { cause: error })
  }
}

/** The lines of a file, in blocks of what was read at once; holds no more than one block and one line. */
export async function* auditLines(path: string): AsyncGenerator<readonly AuditLine[]> {
  let rest: Buffer = Buffer.alloc(0)
  let offset = 0
  let number = 0
  const line = (bytes: Buffer, ended: boolean): AuditLine => {
    number += 1
    const text = bytes.length > longestLineBytes ? '' : bytes.toString('utf8')
    const sizeBytes = bytes.length + (ended ? 1 : 0)
    offset += sizeBytes
    return { text, number, offset: offset - sizeBytes, sizeBytes, ended }
  }
  for await (const chunk of createReadStream(path, { highWaterMark: 64 * 1024 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const lines: AuditLine[] = []
    let start = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      lines.push(line(bytes.subarray(start, end), true))
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > longestLineBytes * 16) {
      lines.push(line(rest, false))
      rest = Buffer.alloc(0)
    }
    yield lines
  }
  if (rest.length > 0) yield [line(rest, false)]
}

/** Makes what was done to the entries of a directory last. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}
