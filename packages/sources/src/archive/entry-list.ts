import type { ArchiveLimits } from './archive-limits.ts'
import { checkPath, foldPath } from './entry-path.ts'
import { refuse, shownName } from './refuse.ts'

type Kind = 'file' | 'folder' | 'implied folder'

/** The names of an archive as they are met; refuses the first that may not stand beside the others. */
export class EntryList {
  readonly #limits: ArchiveLimits
  readonly #kinds = new Map<string, Kind>()
  /** Path by what it is without regard to case and normal form. */
  readonly #folded = new Map<string, string>()
  #files = 0
  #folders = 0
  #totalBytes = 0

  constructor(limits: ArchiveLimits) {
    this.#limits = limits
  }

  /** All files so far, bytes. */
  get totalBytes(): number {
    return this.#totalBytes
  }

  addFile(path: string, sizeBytes: number): void {
    const { fileBytes, totalBytes, files } = this.#limits
    checkPath(path, this.#limits)
    this.#addFolders(path)
    this.#add(path, 'file')
    this.#files += 1
    this.#totalBytes += sizeBytes
    if (this.#files > files) throw refuse('ARCHIVE_TOO_MANY_FILES', path, { files, limit: 'files' })
    if (sizeBytes > fileBytes) throw refuse('ARCHIVE_FILE_TOO_LARGE', path, { bytes: fileBytes, limit: 'fileBytes' })
    if (this.#totalBytes <= totalBytes) return
    throw refuse('ARCHIVE_CONTENTS_TOO_LARGE', path, { bytes: totalBytes, limit: 'totalBytes' })
  }

  addFolder(path: string): void {
    checkPath(path, this.#limits)
    this.#addFolders(path)
    this.#add(path, 'folder')
    this.#checkDepth(path, path.split('/').length)
  }

  /** Every folder above a path. */
  #addFolders(path: string): void {
    let depth = 0
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end)
      depth += 1
      const known = this.#kinds.get(folder)
      if (known === 'file') throw refuse('ARCHIVE_FILE_AND_FOLDER', folder)
      if (known === undefined) this.#add(folder, 'implied folder')
    }
    this.#checkDepth(path, depth)
  }

  #checkDepth(path: string, folders: number): void {
    const { depth } = this.#limits
    if (folders > depth) throw refuse('ARCHIVE_PATH_TOO_DEEP', path, { folders: depth })
  }

  #add(path: string, kind: Kind): void {
    const known = this.#kinds.get(path)
    if (known === undefined) this.#addName(path, kind)
    else if (kind === 'file' ? known !== 'file' : known === 'file') throw refuse('ARCHIVE_FILE_AND_FOLDER', path)
    else if (known !== 'implied folder') throw refuse('ARCHIVE_DUPLICATE', path)
    this.#kinds.set(path, kind)
  }

  #addName(path: string, kind: Kind): void {
    const folded = foldPath(path)
    const other = this.#folded.get(folded)
    if (other !== undefined) throw refuse('ARCHIVE_TWIN', path, { other: shownName(other) })
    this.#folded.set(folded, path)
    if (kind === 'file') return
    const { folders } = this.#limits
    this.#folders += 1
    if (this.#folders > folders) throw refuse('ARCHIVE_TOO_MANY_FOLDERS', path, { folders, limit: 'folders' })
  }
}
