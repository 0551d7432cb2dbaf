import { refuse } from './refuse.ts'

const systems = { fat: 0, unix: 3, ntfs: 10 } as const
const typeMask = 0o170000
const setIdBits = 0o6000
const ownerExecutes = 0o100
const dosFolder = 0x10
/** Read-only, hidden, system, folder, archive. */
const dosKnown = 0x37

const unixKinds: ReadonlyMap<number, string> = new Map([
  [0o120000, 'symbolic link'],
  [0o010000, 'pipe'],
  [0o020000, 'character device'],
  [0o060000, 'block device'],
  [0o140000, 'socket'],
])

/**
 * Whether the owner may execute an entry, once its attributes and its name agree on what it is. `madeBy` is the system that
 * wrote them. Errors: `ARCHIVE_LINK`, `ARCHIVE_SPECIAL`, `ARCHIVE_SET_ID`, `ARCHIVE_HEADERS_DISAGREE`,
 * `ARCHIVE_HEADER_INVALID`. Source: APPNOTE 4.4.2, 4.4.15.
 */
export function readZipMode(attributes: number, madeBy: number, path: string): boolean {
  const mode = attributes >>> 16
  const dos = attributes & 0xffff
  const isFolder = path.endsWith('/')
  const type = mode & typeMask
  const kind = unixKinds.get(type)
  if (type === 0o120000) throw refuse('ARCHIVE_LINK', path, { kind: 'symbolic' })
  if (kind !== undefined) throw refuse('ARCHIVE_SPECIAL', path, { kind })
  if ((mode & setIdBits) !== 0) throw refuse('ARCHIVE_SET_ID', path)
  const isKnown = type === 0 || type === 0o100000 || type === 0o040000
  const isSystemKnown = Object.values<number>(systems).includes(madeBy)
  if (!isKnown || !isSystemKnown || (madeBy !== systems.unix && mode !== 0) || (dos & ~dosKnown) !== 0) {
    throw refuse('ARCHIVE_HEADER_INVALID', path, { problem: 'its attributes are not those of a file or folder' })
  }
  const isOtherwise = isFolder ? type === 0o100000 : type === 0o040000 || (dos & dosFolder) !== 0
  if (isOtherwise) throw refuse('ARCHIVE_HEADERS_DISAGREE', path, { field: 'kind' })
  return (mode & ownerExecutes) !== 0
}
