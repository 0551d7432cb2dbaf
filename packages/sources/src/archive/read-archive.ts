import { createHash, type Hash } from 'node:crypto'
import type { ArchiveFile } from './archive-file.ts'
import { defaultArchiveLimits, type ArchiveLimits } from './archive-limits.ts'
import type { ArchivePart } from './archive-part.ts'
import { EntryList } from './entry-list.ts'
import { archiveErrors } from './errors.ts'
import { isGzip } from './gunzip.ts'
import { sliceBytes } from './inflate.ts'
import { readAtMost } from './read-at-most.ts'
import { timeSlice } from '../time-slice.ts'
import { walkTar } from './walk-tar.ts'
import { walkZip } from './walk-zip.ts'
import { isZip } from './zip-directory.ts'

/** An archive that was read to its last byte and found in order; nothing has been written. */
export interface Archive {
  readonly format: 'tar.gz' | 'zip'
  /** `sha256:` and 64 hexadecimal digits, over the archive as it is. */
  readonly digest: string
  /** In the order of the archive. Folders are there only through the files in them. */
  readonly files: readonly ArchiveFile[]
  /** All files together. */
  readonly totalBytes: number
  /** Walks through it again; the bytes are the caller's, who leaves them alone until then. */
  readonly parts: (signal: AbortSignal) => AsyncGenerator<ArchivePart>
}

/**
 * Reads a `.tgz` or `.zip`, told apart by what they begin with, and refuses it as a whole for the first thing that is not
 * in order. At most the archive itself and some hundred kilobytes are in memory; files are inflated beside the event loop.
 * Errors: every `ARCHIVE_…` but those of staging, most with the entry's name. Source: SECURITY 5.1.
 */
export async function readArchive(
  source: Uint8Array | string,
  limits: Partial<ArchiveLimits>,
  signal: AbortSignal,
): Promise<Archive> {
  signal.throwIfAborted()
  const applied = { ...defaultArchiveLimits, ...limits }
  const bytes = typeof source === 'string' ? await readAtMost(source, applied.archiveBytes, signal) : source
  if (bytes.length > applied.archiveBytes) {
    throw archiveErrors.error('ARCHIVE_TOO_LARGE', { bytes: applied.archiveBytes, limit: 'archiveBytes' })
  }
  const format = formatOf(bytes)
  const walk = format === 'zip' ? walkZip : walkTar
  const parts: Archive['parts'] = (walkSignal) => walk(bytes, applied, walkSignal)
  const { files, totalBytes } = await listFiles(parts(signal), applied, signal)
  if (files.length === 0) throw archiveErrors.error('ARCHIVE_EMPTY')
  return { format, digest: await digestOf(bytes, signal), files, totalBytes, parts }
}

function formatOf(bytes: Uint8Array): Archive['format'] {
  if (isGzip(bytes)) return 'tar.gz'
  if (isZip(bytes)) return 'zip'
  const found = bytes.length === 0 ? 'nothing' : `the bytes ${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`
  throw archiveErrors.error('ARCHIVE_FORMAT_UNKNOWN', { found })
}

/** A name is judged before the contents that follow it are taken. */
async function listFiles(
  parts: AsyncGenerator<ArchivePart>,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<Pick<Archive, 'files' | 'totalBytes'>> {
  const entries = new EntryList(limits)
  const files: ArchiveFile[] = []
  let current: { readonly file: Omit<ArchiveFile, 'sha256'>; readonly sum: Hash } | undefined
  const breathe = timeSlice()
  for await (const part of parts) {
    const pause = breathe()
    if (pause !== undefined) await pause
    signal.throwIfAborted()
    switch (part.kind) {
      case 'folder':
        entries.addFolder(part.path)
        break
      case 'file': {
        const { path, executable, sizeBytes } = part
        entries.addFile(path, sizeBytes)
        current = { file: { path, executable, sizeBytes }, sum: createHash('sha256') }
        break
      }
      case 'bytes':
        current?.sum.update(part.bytes)
        break
      case 'end':
        if (current !== undefined) files.push({ ...current.file, sha256: current.sum.digest('hex') })
    }
  }
  return { files, totalBytes: entries.totalBytes }
}

async function digestOf(bytes: Uint8Array, signal: AbortSignal): Promise<string> {
  const sum = createHash('sha256')
  const breathe = timeSlice()
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    const pause = breathe()
    if (pause !== undefined) await pause
    signal.throwIfAborted()
    sum.update(bytes.subarray(at, at + sliceBytes))
  }
  return `sha256:${sum.digest('hex')}`
}
