import type { ArchiveLimits } from './archive-limits.ts'
import { refuse } from './refuse.ts'

/** Times and owners, which are not kept, and the empty mark of a jar. Everything else would have to be understood. */
const ignored: ReadonlySet<number> = new Set([0x000a, 0x5455, 0x5855, 0x7855, 0x7875, 0xcafe])
const zip64 = 0x0001

/**
 * Looks through the extra fields of a header for one that changes what the entry is: another name, another size, a link.
 * Errors: `ARCHIVE_ZIP64`, `ARCHIVE_EXTENSION`, `ARCHIVE_HEADER_INVALID`, `ARCHIVE_HEADER_TOO_LARGE`. Source: APPNOTE 4.5.
 */
export function checkExtraFields(bytes: Uint8Array, entry: string, { headerBytes }: ArchiveLimits): void {
  if (bytes.length > headerBytes) throw refuse('ARCHIVE_HEADER_TOO_LARGE', entry, { bytes: headerBytes })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  while (at + 4 <= bytes.length) {
    const id = view.getUint16(at, true)
    if (id === zip64) throw refuse('ARCHIVE_ZIP64', entry)
    if (!ignored.has(id)) throw refuse('ARCHIVE_EXTENSION', entry, { extension: `the zip field 0x${id.toString(16)}` })
    at += 4 + view.getUint16(at + 2, true)
  }
  if (at !== bytes.length)
    throw refuse('ARCHIVE_HEADER_INVALID', entry, { problem: 'its extra fields do not end where they say' })
}
