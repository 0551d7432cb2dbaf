import { readableName } from './entry-path.ts'
import { refuse } from './refuse.ts'

/** Headers, contents and padding of a tar come in blocks of so many bytes. */
export const blockBytes = 512

/** What the first header of an entry says. */
export interface TarHeader {
  readonly kind: 'file' | 'folder' | 'pax'
  /** As it stands there, not decoded: with a pax path before it, it counts for nothing. */
  readonly name: Uint8Array
  readonly executable: boolean
  readonly sizeBytes: number
}

/** Where a field is. Source: POSIX.1-2017 pax, "ustar Interchange Format". */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  owner: [108, 8],
  group: [116, 8],
  size: [124, 12],
  time: [136, 12],
  checksum: [148, 8],
  'link name': [157, 100],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
  padding: [500, 12],
} as const

type Field = keyof typeof fields

const kinds: ReadonlyMap<string, TarHeader['kind']> = new Map([
  ['0', 'file'],
  ['5', 'folder'],
  ['x', 'pax'],
])

const links: ReadonlyMap<string, string> = new Map([
  ['1', 'hard'],
  ['2', 'symbolic'],
])

const specials: ReadonlyMap<string, string> = new Map([
  ['3', 'character device'],
  ['4', 'block device'],
  ['6', 'pipe'],
])

const typeOffset = 156
const magicOffset = 257
const posixMagic = 'ustar\u000000'
/** GNU tar's own; where POSIX has the prefix it has fields that plain archives leave empty. */
const gnuMagic = 'ustar  \0'
const setIdBits = 0o6000
const ownerExecutes = 0o100

/**
 * Reads one header block, of which there is one form: every field that matters is octal text or a name that ends once, every
 * other byte is empty. What tools read differently (base 256, other checksums, directories by a trailing slash, contents
 * of directories) is refused. Errors: `ARCHIVE_CORRUPT`, `ARCHIVE_HEADER_INVALID`, `ARCHIVE_LINK`, `ARCHIVE_SPECIAL`,
 * `ARCHIVE_SPARSE`, `ARCHIVE_SET_ID`, `ARCHIVE_EXTENSION`.
 */
export function readTarHeader(block: Uint8Array): TarHeader {
  const entry = readableName(textOf(block, 'name'))
  const invalid = (problem: string): Error => refuse('ARCHIVE_HEADER_INVALID', entry, { problem })
  if (numberOf(block, 'checksum') !== checksumOf(block)) {
    throw refuse('ARCHIVE_CORRUPT', entry, { problem: 'the checksum of its header is another' })
  }
  const magic = latin1(block.subarray(magicOffset, magicOffset + 8))
  if (magic !== posixMagic && magic !== gnuMagic) throw invalid('it is neither a ustar nor a GNU header')
  const kind = kindOf(block, entry)
  const mode = numberOf(block, 'mode')
  const sizeBytes = numberOf(block, 'size')
  if (mode === undefined || mode > 0o7777) throw invalid('its mode is no octal number of permissions')
  if (sizeBytes === undefined) throw invalid('its size is no octal number')
  if ((mode & setIdBits) !== 0) throw refuse('ARCHIVE_SET_ID', entry)
  if (kind === 'folder' && sizeBytes !== 0) throw invalid('a folder has no contents')
  for (const field of ['owner', 'group', 'time', 'major', 'minor'] as const) {
    const value = isEmpty(bytesOf(block, field)) ? 0 : numberOf(block, field)
    if (value === undefined) throw invalid(`its ${field} is no octal number`)
    if (value !== 0 && field.startsWith('m')) throw invalid('only a device has a number')
  }
  for (const field of ['link name', 'padding'] as const) {
    if (!isEmpty(bytesOf(block, field))) throw invalid(`its ${field} is not empty`)
  }
  if (magic === gnuMagic && !isEmpty(bytesOf(block, 'prefix'))) throw invalid('its GNU fields are not empty')
  return { kind, name: fullName(block, invalid), executable: (mode & ownerExecutes) !== 0, sizeBytes }
}

/** Whether there is nothing but zeros. */
export function isEmpty(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function kindOf(block: Uint8Array, entry: string): TarHeader['kind'] {
  const type = latin1(block.subarray(typeOffset, typeOffset + 1))
  const kind = kinds.get(type)
  if (kind !== undefined) return kind
  const link = links.get(type)
  if (link !== undefined) throw refuse('ARCHIVE_LINK', entry, { kind: link })
  const special = specials.get(type)
  if (special !== undefined) throw refuse('ARCHIVE_SPECIAL', entry, { kind: special })
  if (type === 'S') throw refuse('ARCHIVE_SPARSE', entry)
  if (type === '\0' || type === '7') throw refuse('ARCHIVE_HEADER_INVALID', entry, { problem: 'its type is an old one' })
  throw refuse('ARCHIVE_EXTENSION', entry, { extension: `the tar header type ${JSON.stringify(type)}` })
}

function fullName(block: Uint8Array, invalid: (problem: string) => Error): Uint8Array {
  for (const field of ['name', 'prefix'] as const) {
    const bytes = bytesOf(block, field)
    const end = bytes.indexOf(0)
    if (end !== -1 && !isEmpty(bytes.subarray(end))) throw invalid(`something follows the end of its ${field}`)
  }
  const prefix = textOf(block, 'prefix')
  const name = textOf(block, 'name')
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name])
}

function bytesOf(block: Uint8Array, field: Field): Uint8Array {
  const [offset, length] = fields[field]
  return block.subarray(offset, offset + length)
}

/** Up to the first NUL. */
function textOf(block: Uint8Array, field: Field): Uint8Array {
  const bytes = bytesOf(block, field)
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

/** Octal digits, spaces before them, spaces and NULs after them. */
function numberOf(block: Uint8Array, field: Field): number | undefined {
  const match = /^ *([0-7]+)[ \0]*$/.exec(latin1(bytesOf(block, field)))
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 8)
}

/** The sum of all bytes, the checksum itself taken for spaces. */
function checksumOf(block: Uint8Array): number {
  const [offset, length] = fields.checksum
  let sum = length * 0x20
  for (const [at, byte] of block.entries()) if (at < offset || at >= offset + length) sum += byte
  return sum
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
