import type { ArchiveLimits } from './archive-limits.ts'
import { decodeName } from './entry-path.ts'
import { archiveErrors } from './errors.ts'
import { refuse, wholeArchive } from './refuse.ts'
import { checkExtraFields } from './zip-extra.ts'
import { readZipMode } from './zip-mode.ts'

/** What the central directory says of one entry. */
export interface ZipEntry {
  readonly path: string
  readonly nameBytes: Uint8Array
  readonly executable: boolean
  readonly flags: number
  readonly method: 'stored' | 'deflated'
  readonly checksum: number
  readonly compressedBytes: number
  readonly sizeBytes: number
  /** Of its local header. */
  readonly offset: number
}

/** The entries of a zip in the order of its central directory, which begins at `offset`. */
export interface ZipDirectory {
  readonly entries: Iterable<ZipEntry>
  readonly offset: number
}

/** Bits of the flags that are understood. Deflate's two only say how hard it tried. */
export const zipFlags = { encrypted: 0x0001, deflate: 0x0006, descriptor: 0x0008, utf8: 0x0800 } as const

const knownFlags = zipFlags.deflate | zipFlags.descriptor | zipFlags.utf8
const endSignature = 0x06054b50
const endBytes = 22
const zip64LocatorSignature = 0x07064b50
const zip64LocatorBytes = 20
const entrySignature = 0x02014b50
const entryBytes = 46
const absent16 = 0xffff
const absent32 = 0xffffffff

/** Whether bytes begin as a zip without anything before it does. */
export function isZip(bytes: Uint8Array): boolean {
  return ['504b0304', '504b0506'].includes(Buffer.from(bytes.subarray(0, 4)).toString('hex'))
}

/**
 * Reads the central directory, which must lie exactly before the end record and that exactly at the end. Errors:
 * `ARCHIVE_TRUNCATED`, `ARCHIVE_TRAILING_DATA`, `ARCHIVE_LAYOUT`, `ARCHIVE_ZIP64`, `ARCHIVE_EMPTY`, and as the entries are
 * taken those of {@link readZipMode} and {@link checkExtraFields}, `ARCHIVE_ENCRYPTED`, `ARCHIVE_METHOD`,
 * `ARCHIVE_PATH_ENCODING`. Source: APPNOTE 4.3.
 */
export function readZipDirectory(bytes: Uint8Array, limits: ArchiveLimits): ZipDirectory {
  const end = bytes.length - endBytes
  if (end < 0 || viewOf(bytes, end, endBytes).getUint32(0, true) !== endSignature) throw endProblem(bytes)
  const record = viewOf(bytes, end, endBytes)
  if (record.getUint16(20, true) !== 0) throw refuse('ARCHIVE_TRUNCATED', wholeArchive)
  const count = record.getUint16(10, true)
  const [size, offset] = [record.getUint32(12, true), record.getUint32(16, true)]
  if (count === absent16 || size === absent32 || offset === absent32 || hasZip64(bytes, end)) {
    throw refuse('ARCHIVE_ZIP64', wholeArchive)
  }
  if (record.getUint32(4, true) !== 0 || record.getUint16(8, true) !== count) {
    throw refuse('ARCHIVE_LAYOUT', wholeArchive, { problem: 'is one of several disks' })
  }
  if (offset + size !== end) throw refuse('ARCHIVE_LAYOUT', wholeArchive, { problem: 'does not end with its directory' })
  if (count === 0) throw archiveErrors.error('ARCHIVE_EMPTY')
  return { entries: readEntries(bytes.subarray(offset, end), count, limits), offset }
}

/** A view of part of some bytes. */
export function viewOf(bytes: Uint8Array, offset: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + offset, length)
}

function* readEntries(directory: Uint8Array, count: number, limits: ArchiveLimits): Generator<ZipEntry> {
  let at = 0
  for (let index = 0; index < count; index += 1) {
    const isThere = at + entryBytes <= directory.length && viewOf(directory, at, 4).getUint32(0, true) === entrySignature
    const lengths = isThere ? viewOf(directory, at + 28, 6) : undefined
    const [name = 0, extra = 0, comment = 0] = [0, 2, 4].map((offset) => lengths?.getUint16(offset, true))
    const next = at + entryBytes + name + extra + comment
    if (lengths === undefined || next > directory.length) {
      throw refuse('ARCHIVE_LAYOUT', wholeArchive, { problem: 'has not the entries its directory counts' })
    }
    const nameBytes = directory.subarray(at + entryBytes, at + entryBytes + name)
    const entry = readEntry(viewOf(directory, at, entryBytes), nameBytes)
    checkExtraFields(directory.subarray(at + entryBytes + name, next - comment), entry.path, limits)
    if (comment !== 0) throw refuse('ARCHIVE_EXTENSION', entry.path, { extension: 'a comment' })
    yield entry
    at = next
  }
  if (at !== directory.length)
    throw refuse('ARCHIVE_LAYOUT', wholeArchive, { problem: 'has more in its directory than it counts' })
}

function readEntry(view: DataView, nameBytes: Uint8Array): ZipEntry {
  const path = decodeName(nameBytes)
  const flags = view.getUint16(8, true)
  const method = methodOf(view.getUint16(10, true), path)
  const [compressedBytes, sizeBytes] = [view.getUint32(20, true), view.getUint32(24, true)]
  const offset = view.getUint32(42, true)
  checkFlags(flags, path, nameBytes)
  if ([compressedBytes, sizeBytes, offset].includes(absent32)) throw refuse('ARCHIVE_ZIP64', path)
  if (view.getUint16(34, true) !== 0) throw refuse('ARCHIVE_LAYOUT', path, { problem: 'is on another disk' })
  const executable = readZipMode(view.getUint32(38, true), view.getUint8(5), path)
  const checksum = view.getUint32(16, true)
  const entry = { path, nameBytes, executable, flags, method, checksum, compressedBytes, sizeBytes, offset }
  checkSizes(entry)
  return entry
}

function checkFlags(flags: number, path: string, nameBytes: Uint8Array): void {
  if ((flags & zipFlags.encrypted) !== 0) throw refuse('ARCHIVE_ENCRYPTED', path)
  if ((flags & ~knownFlags) !== 0) {
    throw refuse('ARCHIVE_EXTENSION', path, { extension: `the zip flags 0x${flags.toString(16)}` })
  }
  if ((flags & zipFlags.utf8) === 0 && nameBytes.some((byte) => byte > 0x7e)) throw refuse('ARCHIVE_PATH_ENCODING', path)
}

/** Without sizes before it and without an end of its own, the end of stored data is a matter of opinion. */
function checkSizes({ path, method, flags, compressedBytes, sizeBytes, checksum }: ZipEntry): void {
  const invalid = (problem: string): Error => refuse('ARCHIVE_HEADER_INVALID', path, { problem })
  if (method === 'stored' && compressedBytes !== sizeBytes) throw refuse('ARCHIVE_HEADERS_DISAGREE', path, { field: 'size' })
  if (method === 'stored' && sizeBytes > 0 && (flags & zipFlags.descriptor) !== 0)
    throw invalid('it is stored with its size after it')
  if (path.endsWith('/') && compressedBytes + sizeBytes + checksum !== 0) throw invalid('a folder has no contents')
}

function methodOf(method: number, path: string): ZipEntry['method'] {
  if (method === 0) return 'stored'
  if (method === 8) return 'deflated'
  throw refuse('ARCHIVE_METHOD', path, { method })
}

function hasZip64(bytes: Uint8Array, end: number): boolean {
  const at = end - zip64LocatorBytes
  return at >= 0 && viewOf(bytes, at, 4).getUint32(0, true) === zip64LocatorSignature
}

/** No end record at the very end: something was added, or something is missing. */
function endProblem(bytes: Uint8Array): Error {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf('PK\u0005\u0006', -1, 'latin1')
  if (at === -1 || at + endBytes > bytes.length) return refuse('ARCHIVE_TRUNCATED', wholeArchive)
  const comment = viewOf(bytes, at, endBytes).getUint16(20, true)
  if (at + endBytes + comment !== bytes.length) return archiveErrors.error('ARCHIVE_TRAILING_DATA')
  return refuse('ARCHIVE_EXTENSION', wholeArchive, { extension: 'a comment' })
}
