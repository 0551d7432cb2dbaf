import type { ArchiveLimits } from './archive-limits.ts'
import type { ArchiveErrorCode } from './errors.ts'
import { refuse } from './refuse.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The name that stands in a header. Errors: `ARCHIVE_PATH_ENCODING`. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (error) {
    throw refuse('ARCHIVE_PATH_ENCODING', readableName(bytes), {}, error)
  }
}

/** A name for messages only. */
export function readableName(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

type PathRule = readonly [code: ArchiveErrorCode, isBroken: (path: string) => boolean]

const deviceName = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?: *[.:].*)?$/iu

/** In this order: a path that breaks several rules is refused for the first. */
const wholeRules: readonly PathRule[] = [
  ['ARCHIVE_PATH_EMPTY', (path) => path === ''],
  ['ARCHIVE_PATH_CONTROL', (path) => /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(path)],
  ['ARCHIVE_PATH_ABSOLUTE', (path) => path.startsWith('/') || /^[a-z]:/iu.test(path)],
  ['ARCHIVE_PATH_BACKSLASH', (path) => path.includes('\\')],
]

const partRules: readonly PathRule[] = [
  ['ARCHIVE_PATH_ESCAPES', (part) => part === '..'],
  ['ARCHIVE_PATH_DOT', (part) => part === '.'],
  ['ARCHIVE_PATH_EMPTY', (part) => part === ''],
  ['ARCHIVE_PATH_CHARACTER', (part) => /[<>:"|?*]/u.test(part)],
  ['ARCHIVE_PATH_ENDING', (part) => /[. ]$/u.test(part)],
  ['ARCHIVE_PATH_RESERVED', (part) => deviceName.test(part)],
]

/**
 * Refuses every path that is not one plain name after another: what one system takes for a file name another takes for a
 * drive, a stream, a device or another file. Errors: `ARCHIVE_PATH_…`.
 */
export function checkPath(path: string, limits: ArchiveLimits): void {
  if (Buffer.byteLength(path) > limits.pathBytes) {
    throw refuse('ARCHIVE_PATH_TOO_LONG', path, { bytes: limits.pathBytes, where: '', limit: 'pathBytes' })
  }
  checkRules(wholeRules, path, path)
  for (const part of path.split('/')) {
    checkRules(partRules, part, path)
    if (Buffer.byteLength(part) <= limits.nameBytes) continue
    throw refuse('ARCHIVE_PATH_TOO_LONG', path, { bytes: limits.nameBytes, where: ' in one part', limit: 'nameBytes' })
  }
  if (path.normalize('NFC') !== path) throw refuse('ARCHIVE_PATH_NOT_NFC', path)
}

/**
 * Equal for paths that some system takes for the same. Upper case first: ß and ss, ς and σ, ı and I are told apart by lower
 * case alone.
 */
export function foldPath(path: string): string {
  return path.toUpperCase().toLowerCase().normalize('NFC')
}

function checkRules(rules: readonly PathRule[], text: string, path: string): void {
  for (const [code, isBroken] of rules) if (isBroken(text)) throw refuse(code, path)
}
