import type { ArchiveLimits } from './archive-limits.ts'
import type { ArchivePart } from './archive-part.ts'
import { decodeName, readableName } from './entry-path.ts'
import { archiveErrors } from './errors.ts'
import { gunzip } from './gunzip.ts'
import { sliceBytes } from './inflate.ts'
import { readPaxRecords, type PaxRecords } from './pax-records.ts'
import { refuse, wholeArchive, type Culprit } from './refuse.ts'
import { SliceReader } from './slice-reader.ts'
import { blockBytes, isEmpty, readTarHeader, type TarHeader } from './tar-header.ts'

/**
 * Walks through a gzipped tar to its last byte. Understood is what `npm pack` and `tar -czf` write: ustar and GNU headers of
 * files and folders, and pax records for a path. Errors: those of {@link gunzip}, {@link readTarHeader} and
 * {@link readPaxRecords}, `ARCHIVE_HEADERS_DISAGREE`, `ARCHIVE_HEADER_TOO_LARGE`, `ARCHIVE_PADDING_TOO_LARGE`.
 */
export async function* walkTar(bytes: Uint8Array, limits: ArchiveLimits, signal: AbortSignal): AsyncGenerator<ArchivePart> {
  await using reader = new SliceReader(gunzip(bytes, limits, signal))
  for (;;) {
    const first = await readHeader(reader)
    if (first === undefined) return readEnd(reader, limits)
    const pax = first.kind === 'pax' ? await readPax(reader, first, limits) : undefined
    const header = pax === undefined ? first : await readHeader(reader)
    if (header === undefined || header.kind === 'pax') {
      throw refuse('ARCHIVE_HEADER_INVALID', readableName(first.name), { problem: 'no entry follows its pax records' })
    }
    const path = pathOf(header, pax)
    if (pax?.sizeBytes !== undefined && pax.sizeBytes !== header.sizeBytes) {
      throw refuse('ARCHIVE_HEADERS_DISAGREE', path, { field: 'size' })
    }
    if (header.kind === 'folder') {
      yield { kind: 'folder', path: path.endsWith('/') ? path.slice(0, -1) : path }
    } else {
      yield { kind: 'file', path, executable: header.executable, sizeBytes: header.sizeBytes }
      yield* contents(reader, path, header.sizeBytes)
      yield { kind: 'end' }
    }
  }
}

/** Undefined for the empty block that begins the end of the archive. */
async function readHeader(reader: SliceReader): Promise<TarHeader | undefined> {
  const block = await readWhole(reader, blockBytes, wholeArchive)
  return isEmpty(block) ? undefined : readTarHeader(block)
}

async function readPax(reader: SliceReader, { name, sizeBytes }: TarHeader, { headerBytes }: ArchiveLimits): Promise<PaxRecords> {
  const entry = readableName(name)
  if (sizeBytes > headerBytes) throw refuse('ARCHIVE_HEADER_TOO_LARGE', entry, { bytes: headerBytes })
  if (sizeBytes === 0) throw refuse('ARCHIVE_HEADER_INVALID', entry, { problem: 'it holds no pax record' })
  const records = readPaxRecords(await readWhole(reader, sizeBytes, entry), entry)
  await skipPadding(reader, sizeBytes, entry)
  return records
}

function pathOf(header: TarHeader, pax: PaxRecords | undefined): string {
  return pax?.path ?? decodeName(header.name)
}

async function* contents(reader: SliceReader, path: string, sizeBytes: number): AsyncGenerator<ArchivePart> {
  for (let left = sizeBytes; left > 0;) {
    const bytes = await reader.some(Math.min(left, sliceBytes))
    if (bytes === undefined) throw refuse('ARCHIVE_TRUNCATED', path)
    left -= bytes.length
    yield { kind: 'bytes', bytes }
  }
  await skipPadding(reader, sizeBytes, path)
}

/** To the end of the block. Nothing is hidden there. */
async function skipPadding(reader: SliceReader, sizeBytes: number, entry: string): Promise<void> {
  const over = sizeBytes % blockBytes
  if (over === 0) return
  if (isEmpty(await readWhole(reader, blockBytes - over, entry))) return
  throw refuse('ARCHIVE_HEADER_INVALID', entry, { problem: 'its last block is not filled with zeros' })
}

/** A second empty block at least, and nothing but empty blocks to the end of what was compressed. */
async function readEnd(reader: SliceReader, { paddingBytes }: ArchiveLimits): Promise<void> {
  if (!isEmpty(await readWhole(reader, blockBytes, wholeArchive))) throw archiveErrors.error('ARCHIVE_TRAILING_DATA')
  for (let length = 2 * blockBytes; ;) {
    const more = await reader.some(sliceBytes)
    if (more === undefined && length % blockBytes !== 0) throw refuse('ARCHIVE_TRUNCATED', wholeArchive)
    if (more === undefined) return
    length += more.length
    if (!isEmpty(more)) throw archiveErrors.error('ARCHIVE_TRAILING_DATA')
    if (length > paddingBytes) throw archiveErrors.error('ARCHIVE_PADDING_TOO_LARGE', { bytes: paddingBytes })
  }
}

async function readWhole(reader: SliceReader, sizeBytes: number, culprit: Culprit): Promise<Uint8Array> {
  const bytes = await reader.exactly(sizeBytes)
  if (bytes.length < sizeBytes) throw refuse('ARCHIVE_TRUNCATED', culprit)
  return bytes
}
