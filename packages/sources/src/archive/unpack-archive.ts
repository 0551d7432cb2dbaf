import type { PackageTree, TreeFile } from '../read-tree.ts'
import { archiveTree, isHidden } from './archive-tree.ts'
import type { Archive } from './read-archive.ts'
import { unpackParts, type UnpackOptions } from './unpack-parts.ts'

/** The package of an archive in memory, at most what the limits allow. */
export interface UnpackedArchive extends PackageTree {
  /** What lies under names with a dot in front: no part of the package, but what others say about it may be there. */
  readonly hidden: readonly TreeFile[]
}

/**
 * Unpacks an archive into memory, as `PackageStore.put` takes it; nothing is written. Errors: `ARCHIVE_NO_TOP_FOLDER`,
 * `ARCHIVE_EMPTY`, `ARCHIVE_CHANGED`.
 */
export async function unpackArchive(archive: Archive, options: UnpackOptions): Promise<UnpackedArchive> {
  const { digest } = archiveTree(archive, options.topFolder ?? 'keep')
  const files: TreeFile[] = []
  let bytes = Buffer.alloc(0)
  let length = 0
  for await (const part of unpackParts(archive, options)) {
    switch (part.kind) {
      case 'file': {
        const { path, executable, sizeBytes } = part.file
        bytes = Buffer.allocUnsafeSlow(sizeBytes)
        length = 0
        files.push({ path, executable, bytes })
        break
      }
      case 'bytes':
        bytes.set(part.bytes, length)
        length += part.bytes.length
        break
      case 'end':
    }
  }
  return { digest, files: files.filter(({ path }) => !isHidden(path)), hidden: files.filter(({ path }) => isHidden(path)) }
}
