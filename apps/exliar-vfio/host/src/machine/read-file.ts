import { closeSync, constants, openSync, readSync } from 'node:fs'
import { exliarErrors } from '../errors.ts'

/** Links are resolved before; a pipe must not make the reader wait. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

const pieceBytes = 64 * 1024
const piece = Buffer.alloc(pieceBytes)

/**
 * Reads a file of at most `mostBytes`. The size the system states is not believed: what the kernel makes up while it is
 * read states 0 or 4096, and comes in short pieces. `path` is what an error calls it. Errors: `TREE_FILE_TOO_LARGE`; those of the operating system as they are.
 */
export function readFileInside(hostPath: string, mostBytes: number, path = hostPath): Buffer {
  const descriptor = openSync(hostPath, flags)
  try {
    const pieces: Buffer[] = []
    let totalBytes = 0
    for (let read = -1; read !== 0; totalBytes += read) {
      read = readSync(descriptor, piece, 0, pieceBytes, null)
      if (totalBytes + read > mostBytes) throw exliarErrors.error('TREE_FILE_TOO_LARGE', { path, mostBytes })
      if (read > 0) pieces.push(Buffer.from(piece.subarray(0, read)))
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
  } finally {
    closeSync(descriptor)
  }
}

/** The kernel gives out a page at most, and all of it at once. */
const mostAttributeBytes = 4096

/** Reads a small file the kernel makes up. Errors: as {@link readFileInside}. */
export function readAttribute(hostPath: string): Buffer {
  const descriptor = openSync(hostPath, flags)
  try {
    const read = readSync(descriptor, piece, 0, mostAttributeBytes + 1, null)
    if (read > mostAttributeBytes) {
      throw exliarErrors.error('TREE_FILE_TOO_LARGE', { path: hostPath, mostBytes: mostAttributeBytes })
    }
    return Buffer.from(piece.subarray(0, read))
  } finally {
    closeSync(descriptor)
  }
}
