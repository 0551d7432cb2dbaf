import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { PlatformError } from '@backplane/sdk'
import { archiveErrors } from './errors.ts'

const pieceBytes = 1024 * 1024

/** A file as a whole. Errors: `ARCHIVE_UNREADABLE`, `ARCHIVE_TOO_LARGE`. */
export async function readAtMost(path: string, mostBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile()) throw unreadable(path, 'it is not a regular file')
    if (stats.size > mostBytes) throw archiveErrors.error('ARCHIVE_TOO_LARGE', { bytes: mostBytes, limit: 'archiveBytes' })
    const bytes = Buffer.allocUnsafeSlow(stats.size)
    for (let at = 0; at < bytes.length;) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(bytes, at, Math.min(pieceBytes, bytes.length - at), at)
      if (bytesRead === 0) throw unreadable(path, 'it became shorter')
      at += bytesRead
    }
    return bytes
  } catch (error) {
    if (error instanceof PlatformError || signal.aborted) throw error
    throw unreadable(path, error instanceof Error ? error.message : String(error), error)
  }
}

function unreadable(path: string, reason: string, cause?: unknown): PlatformError {
  return archiveErrors.error('ARCHIVE_UNREADABLE', { path, reason }, { cause })
}
