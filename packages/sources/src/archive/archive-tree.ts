import { treeDigestOf } from '../read-tree.ts'
import type { ArchiveFile } from './archive-file.ts'
import { archiveErrors } from './errors.ts'
import type { Archive } from './read-archive.ts'
import { refuse } from './refuse.ts'

/** What becomes of the one folder everything lies in, such as the `package/` of npm: it stays, or is taken away. */
export type TopFolder = 'keep' | 'strip'

/** The package in an archive, before anything of it is written. */
export interface ArchiveTree {
  /** In the order of the archive, with the paths they are staged under. */
  readonly files: readonly ArchiveFile[]
  /** As of a package in the store; see `treeDigest`. */
  readonly digest: string
}

/** The files an archive is staged as, and their digest. Errors: `ARCHIVE_NO_TOP_FOLDER`. */
export function archiveTree(archive: Archive, topFolder: TopFolder): ArchiveTree {
  const files = topFolder === 'keep' ? archive.files : stripped(archive.files)
  return { files, digest: treeDigestOf(files) }
}

function stripped(files: readonly ArchiveFile[]): readonly ArchiveFile[] {
  const [first] = files
  if (first === undefined) throw archiveErrors.error('ARCHIVE_EMPTY')
  const top = first.path.slice(0, first.path.indexOf('/') + 1)
  return files.map((file) => {
    if (top === '' || !file.path.startsWith(top)) throw refuse('ARCHIVE_NO_TOP_FOLDER', file.path)
    return { ...file, path: file.path.slice(top.length) }
  })
}
