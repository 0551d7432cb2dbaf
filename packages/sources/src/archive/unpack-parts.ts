import { createHash } from 'node:crypto'
import type { ArchiveFile } from './archive-file.ts'
import type { ArchivePart } from './archive-part.ts'
import { placedFiles, type TopFolder } from './archive-tree.ts'
import type { Archive } from './read-archive.ts'
import { refuse } from './refuse.ts'

/** What is met when an archive is unpacked: a file of its list, the bytes, and an end when they were the right ones. */
export type UnpackPart =
  | { readonly kind: 'file'; readonly file: ArchiveFile }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }

/** How an archive is unpacked. */
export interface UnpackOptions {
  /** Default `keep`. */
  readonly topFolder?: TopFolder
  readonly signal: AbortSignal
}

/**
 * Walks through an archive again and holds what comes against the list it gave: another file, order or byte is
 * `ARCHIVE_CHANGED`. Hidden files are among what is met. Errors: also `ARCHIVE_NO_TOP_FOLDER`.
 */
export async function* unpackParts(archive: Archive, options: UnpackOptions): AsyncGenerator<UnpackPart> {
  const { topFolder = 'keep', signal } = options
  const placed = placedFiles(archive, topFolder)
  let next = 0
  let sum = createHash('sha256')
  for await (const part of archive.parts(signal)) {
    signal.throwIfAborted()
    switch (part.kind) {
      case 'folder':
        break
      case 'file': {
        const file = placed[next]
        if (file === undefined || !isAsListed(part, archive.files[next])) throw refuse('ARCHIVE_CHANGED', part.path)
        next += 1
        sum = createHash('sha256')
        yield { kind: 'file', file }
        break
      }
      case 'bytes':
        sum.update(part.bytes)
        yield part
        break
      case 'end': {
        const { path = '', sha256 } = archive.files[next - 1] ?? {}
        if (sum.digest('hex') !== sha256) throw refuse('ARCHIVE_CHANGED', path)
        yield part
      }
    }
  }
  signal.throwIfAborted()
  const missing = archive.files[next]
  if (missing !== undefined) throw refuse('ARCHIVE_CHANGED', missing.path)
}

function isAsListed(part: Extract<ArchivePart, { kind: 'file' }>, listed: ArchiveFile | undefined): boolean {
  return part.path === listed?.path && part.executable === listed.executable && part.sizeBytes === listed.sizeBytes
}
