import type { HashedFile } from '../read-tree.ts'

/** A file in an archive. */
export interface ArchiveFile extends HashedFile {
  /** `/` between folders, NFC, relative to the top of the archive. */
  readonly path: string
  /** Whether its owner may execute it; no other permission is kept. */
  readonly executable: boolean
  readonly sizeBytes: number
  /** Of its bytes, hexadecimal. */
  readonly sha256: string
}
