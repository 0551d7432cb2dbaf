import { crc32 } from 'node:zlib'
import type { ArchiveLimits } from './archive-limits.ts'
import { archiveErrors } from './errors.ts'
import { inflate } from './inflate.ts'
import { outputBudget } from './output-budget.ts'
import { refuse, wholeArchive } from './refuse.ts'

const headerBytes = 10
const trailerBytes = 8
/** FNAME, which `gzip` writes; the other fields say nothing an archive needs. */
const nameFlag = 0x08

/** Whether bytes begin as a gzip member does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

/**
 * What one gzip member holds, in slices. The member is all there is: tools differ in whether they read on after it. Node's
 * own gunzip does, so only its inflate is used, and header and trailer are read here. Errors: `ARCHIVE_TRUNCATED`,
 * `ARCHIVE_CORRUPT`, `ARCHIVE_HEADER_INVALID`, `ARCHIVE_SECOND_MEMBER`, `ARCHIVE_TRAILING_DATA`, `ARCHIVE_RATIO`.
 * Source: RFC 1952.
 */
export async function* gunzip(bytes: Uint8Array, limits: ArchiveLimits, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const from = dataOffset(bytes)
  const spend = outputBudget(bytes.length, limits)
  const stream = inflate(bytes.subarray(from), { culprit: wholeArchive, signal })
  let sum = 0
  let length = 0
  for (;;) {
    const { done, value } = await stream.next()
    if (done === true) {
      checkTrailer(bytes.subarray(from + value), sum, length)
      return
    }
    spend(value.length)
    sum = crc32(value, sum)
    length += value.length
    yield value
  }
}

function dataOffset(bytes: Uint8Array): number {
  if (bytes.length < headerBytes) throw refuse('ARCHIVE_TRUNCATED', wholeArchive)
  const invalid = (problem: string): Error => refuse('ARCHIVE_HEADER_INVALID', wholeArchive, { problem })
  if (bytes[2] !== 8) throw invalid('gzip knows no compression but deflate')
  const flags = bytes[3] ?? 0
  if ((flags & ~nameFlag) !== 0) throw invalid('of the optional gzip fields only the name is read')
  if (flags === 0) return headerBytes
  const end = bytes.indexOf(0, headerBytes)
  if (end === -1 || end - headerBytes > 255) throw invalid('the gzip name does not end')
  return end + 1
}

function checkTrailer(rest: Uint8Array, sum: number, length: number): void {
  if (rest.length < trailerBytes) throw refuse('ARCHIVE_TRUNCATED', wholeArchive)
  const view = new DataView(rest.buffer, rest.byteOffset, rest.length)
  const isWhole = view.getUint32(0, true) === sum && view.getUint32(4, true) === length % 2 ** 32
  if (!isWhole) throw refuse('ARCHIVE_CORRUPT', wholeArchive, { problem: 'its checksum is another' })
  if (rest.length === trailerBytes) return
  throw archiveErrors.error(isGzip(rest.subarray(trailerBytes)) ? 'ARCHIVE_SECOND_MEMBER' : 'ARCHIVE_TRAILING_DATA')
}
