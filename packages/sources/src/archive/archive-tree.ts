import { treeDigestOf } from '../read-tree.ts'
import type { ArchiveFile } from './archive-file.ts'
import { archiveErrors } from './errors.ts'
import type { Archive } from './read-archive.ts'
import { refuse } from './refuse.ts'

/** What becomes of the one folder everything lies in, such as the `package/` of npm: it stays, or is taken away. */
export type TopFolder = 'keep' | 'strip'

/** The package in an archive, before anything of it is unpacked; in the order of the archive, with the paths it will have. */
export interface ArchiveTree {
  readonly files: readonly ArchiveFile[]
  /** What lies under a name with a dot in front, which is no part of a package, in an archive as little as in a folder. */
  readonly hidden: readonly ArchiveFile[]
  /** Of `files`, as of a package in the store; see `treeDigest`. */
  readonly digest: string
}

/** The files an archive is unpacked to, and their digest. Errors: `ARCHIVE_NO_TOP_FOLDER`, `ARCHIVE_EMPTY`. */
export function archiveTree(archive: Archive, topFolder: TopFolder): ArchiveTree {
  const all = placedFiles(archive, topFolder)
  const files = all.filter(({ path }) => !isHidden(path))
  if (files.length === 0) throw archiveErrors.error('ARCHIVE_EMPTY')
  return { files, hidden: all.filter(({ path }) => isHidden(path)), digest: treeDigestOf(files) }
}

/** Every file of an archive, hidden ones too, in its order and with the path it will have. Errors: `ARCHIVE_NO_TOP_FOLDER`. */
export function placedFiles({ files }: Archive, topFolder: TopFolder): readonly ArchiveFile[] {
  return topFolder === 'keep' ? files : stripped(files)
}

/** Whether a part of a path has a dot in front. */
export function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.')
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
