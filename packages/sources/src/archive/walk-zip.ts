import { crc32 } from 'node:zlib'
import type { ArchiveLimits } from './archive-limits.ts'
import type { ArchivePart } from './archive-part.ts'
import { inflate, sliceBytes } from './inflate.ts'
import { outputBudget } from './output-budget.ts'
import { refuse, wholeArchive } from './refuse.ts'
import { readZipDirectory, viewOf, zipFlags, type ZipEntry } from './zip-directory.ts'
import { checkExtraFields } from './zip-extra.ts'

const headerSignature = 0x04034b50
const headerBytes = 30
const descriptorSignature = 0x08074b50
const descriptorBytes = 16

/**
 * Walks through a zip to its last byte. Entries lie one after the other from the first byte to the central directory, in its
 * order, and each is described alike in both places, so that a reader of the directory and one of the stream meet the same
 * files. Errors: those of {@link readZipDirectory} and {@link inflate}, `ARCHIVE_HEADERS_DISAGREE`, `ARCHIVE_RATIO`.
 */
export async function* walkZip(bytes: Uint8Array, limits: ArchiveLimits, signal: AbortSignal): AsyncGenerator<ArchivePart> {
  const spend = outputBudget(bytes.length, limits)
  const directory = readZipDirectory(bytes, limits)
  const local = bytes.subarray(0, directory.offset)
  let at = 0
  for (const entry of directory.entries) {
    const from = contentsOffset(local, at, entry, limits)
    const to = from + entry.compressedBytes
    if (to > local.length) throw layoutProblem(entry)
    const { path, executable, sizeBytes } = entry
    at = endOf(local, to, entry)
    if (path.endsWith('/')) {
      yield { kind: 'folder', path: path.slice(0, -1) }
    } else {
      yield { kind: 'file', path, executable, sizeBytes }
      yield* contents(local.subarray(from, to), { entry, spend, signal })
      yield { kind: 'end' }
    }
  }
  if (at !== local.length)
    throw refuse('ARCHIVE_LAYOUT', wholeArchive, { problem: 'holds something its directory does not name' })
}

/** Where the contents begin, once the local header says what the directory does. */
function contentsOffset(local: Uint8Array, at: number, entry: ZipEntry, limits: ArchiveLimits): number {
  if (entry.offset !== at || at + headerBytes > local.length) throw layoutProblem(entry)
  const header = viewOf(local, at, headerBytes)
  if (header.getUint32(0, true) !== headerSignature) throw layoutProblem(entry)
  const [name, extra] = [header.getUint16(26, true), header.getUint16(28, true)]
  const [nameAt, extraAt] = [at + headerBytes, at + headerBytes + name]
  if (extraAt + extra > local.length) throw layoutProblem(entry)
  const disagree = (field: string): Error => refuse('ARCHIVE_HEADERS_DISAGREE', entry.path, { field })
  if (Buffer.compare(local.subarray(nameAt, extraAt), entry.nameBytes) !== 0) throw disagree('name')
  if (header.getUint16(6, true) !== entry.flags) throw disagree('flags')
  if (header.getUint16(8, true) !== (entry.method === 'stored' ? 0 : 8)) throw disagree('compression')
  const sizes = sizesIn(header, 14)
  const isLater = (entry.flags & zipFlags.descriptor) !== 0 && sizes.every((size) => size === 0)
  if (!isLater && !isAsListed(sizes, entry)) throw disagree('size')
  checkExtraFields(local.subarray(extraAt, extraAt + extra), entry.path, limits)
  return extraAt + extra
}

interface Unpacking {
  readonly entry: ZipEntry
  readonly spend: (bytes: number) => void
  readonly signal: AbortSignal
}

async function* contents(packed: Uint8Array, { entry, spend, signal }: Unpacking): AsyncGenerator<ArchivePart> {
  const { path, method, sizeBytes } = entry
  const stream = method === 'stored' ? slices(packed) : inflate(packed, { culprit: path, signal, sizeBytes })
  let length = 0
  let sum = 0
  for (;;) {
    const { done, value } = await stream.next()
    if (done === true) {
      if (value !== packed.length || length !== sizeBytes) throw refuse('ARCHIVE_HEADERS_DISAGREE', path, { field: 'size' })
      if (sum !== entry.checksum) throw refuse('ARCHIVE_CORRUPT', path, { problem: 'its checksum is another' })
      return
    }
    length += value.length
    if (length > sizeBytes) {
      await stream.return(0)
      throw refuse('ARCHIVE_HEADERS_DISAGREE', path, { field: 'size' })
    }
    spend(value.length)
    sum = crc32(value, sum)
    yield { kind: 'bytes', bytes: value }
  }
}

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array, number> {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes)
  return bytes.length
}

/** Behind the contents and what describes them again. */
function endOf(local: Uint8Array, at: number, entry: ZipEntry): number {
  if ((entry.flags & zipFlags.descriptor) === 0) return at
  if (at + descriptorBytes > local.length) throw layoutProblem(entry)
  const descriptor = viewOf(local, at, descriptorBytes)
  if (descriptor.getUint32(0, true) !== descriptorSignature) throw layoutProblem(entry)
  if (!isAsListed(sizesIn(descriptor, 4), entry)) throw refuse('ARCHIVE_HEADERS_DISAGREE', entry.path, { field: 'size' })
  return at + descriptorBytes
}

/** Checksum, compressed size, size. */
function sizesIn(view: DataView, offset: number): readonly number[] {
  return [0, 4, 8].map((at) => view.getUint32(offset + at, true))
}

function isAsListed([checksum, compressedBytes, sizeBytes]: readonly number[], entry: ZipEntry): boolean {
  return checksum === entry.checksum && compressedBytes === entry.compressedBytes && sizeBytes === entry.sizeBytes
}

function layoutProblem({ path }: ZipEntry): Error {
  return refuse('ARCHIVE_LAYOUT', path, { problem: 'does not lie where the directory puts it' })
}
