import { decodeName } from './entry-path.ts'
import { refuse } from './refuse.ts'

/** What pax records may say of the entry that follows them. */
export interface PaxRecords {
  readonly path: string | undefined
  readonly sizeBytes: number | undefined
}

/** Owners and times, which are not kept; everything else would have to be understood. */
const ignored: ReadonlySet<string> = new Set([
  'atime',
  'ctime',
  'mtime',
  'uid',
  'gid',
  'uname',
  'gname',
  'SCHILY.dev',
  'SCHILY.ino',
  'SCHILY.nlink',
])

/**
 * Reads pax records, `<length> <key>=<value>` and a newline each. Some readers go by the newlines rather than by the lengths, so
 * no value may hold one. Errors: `ARCHIVE_HEADER_INVALID`, `ARCHIVE_EXTENSION`,
 * `ARCHIVE_LINK`, `ARCHIVE_SPARSE`, `ARCHIVE_PATH_ENCODING`. Source: POSIX.1-2017 pax, "pax Extended Header".
 */
export function readPaxRecords(bytes: Uint8Array, entry: string): PaxRecords {
  const values = new Map<string, string>()
  const invalid = (problem: string): Error => refuse('ARCHIVE_HEADER_INVALID', entry, { problem })
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const digits = decodeName(bytes.subarray(at, space === -1 ? at : Math.min(space, at + 8)))
    const end = at + (/^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0)
    if (end <= space + 1 || end > bytes.length || bytes[end - 1] !== 0x0a)
      throw invalid('a pax record has not the length it says')
    const record = decodeName(bytes.subarray(space + 1, end - 1))
    const equals = record.indexOf('=')
    const key = record.slice(0, equals)
    if (equals < 1 || values.has(key)) throw invalid('a pax record has no key, or that of another')
    const value = record.slice(equals + 1)
    if (key !== 'path' && /\p{Cc}/u.test(value)) throw invalid('a pax record may hold another')
    values.set(key, value)
    checkKey(key, entry)
    at = end
  }
  const path = values.get('path')
  const size = values.get('size')
  if (path === '') throw invalid('a pax record takes the path away')
  if (size !== undefined && !/^(?:0|[1-9][0-9]{0,14})$/.test(size)) throw invalid('the size in a pax record is no number')
  return { path, sizeBytes: size === undefined ? undefined : Number(size) }
}

function checkKey(key: string, entry: string): void {
  if (key === 'path' || key === 'size' || ignored.has(key)) return
  if (key === 'linkpath') throw refuse('ARCHIVE_LINK', entry, { kind: 'pax' })
  if (key.startsWith('GNU.sparse.')) throw refuse('ARCHIVE_SPARSE', entry)
  throw refuse('ARCHIVE_EXTENSION', entry, { extension: `the pax record ${JSON.stringify(key.slice(0, 40))}` })
}
