import { gzipSync } from 'node:zlib'
import type { TreeFile } from '../read-tree.ts'
import { blockBytes } from './tar-header.ts'

/** Longest name that needs no pax record, bytes. */
const nameBytes = 100

/**
 * A `.tgz` of files, in the one form that {@link import('./read-archive.ts').readArchive} reads: by path, without owners, times or
 * compression, so that equal files are equal bytes on every machine.
 */
export function packArchive(files: readonly TreeFile[]): Uint8Array {
  const sorted = files.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  const packed = gzipSync(Buffer.concat([...sorted.map((file) => tarEntry(file)), Buffer.alloc(2 * blockBytes)]), { level: 0 })
  // the system that packed it, which some versions of zlib write; 255 is unknown. Source: RFC 1952 §2.3
  packed[9] = 255
  return packed
}

/** One file as a tar holds it, with what fills its last block. Source: POSIX.1-2024, pax, "ustar Interchange Format". */
export function tarEntry({ path, bytes, executable }: TreeFile): Uint8Array {
  const name = Buffer.from(path)
  const isLong = name.length > nameBytes
  const pax = isLong ? block(Buffer.from('pax'), record('path', path), { type: 'x', mode: '0000644' }) : Buffer.alloc(0)
  const short = isLong ? Buffer.from('long') : name
  return Buffer.concat([pax, block(short, bytes, { type: '0', mode: executable ? '0000755' : '0000644' })])
}

/** Its length counts its own digits. */
function record(key: string, value: string): Uint8Array {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  const digits = [1, 2, 3, 4, 5].find((count) => String(bytes + count).length === count) ?? 0
  return Buffer.from(`${bytes + digits}${rest}`)
}

function block(
  name: Uint8Array,
  bytes: Uint8Array,
  { type, mode }: { readonly type: string; readonly mode: string },
): Uint8Array {
  const header = Buffer.alloc(blockBytes)
  header.set(name, 0)
  header.write(`${mode}\0`, 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write(`${'0'.repeat(11)}\0`, 136)
  header.write(' '.repeat(8), 148)
  header.write(type, 156)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((blockBytes - (bytes.length % blockBytes)) % blockBytes)])
}
