import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { PlatformError } from '@backplane/sdk'
import { exportErrors } from './errors.ts'

const full = new Set<unknown>(['ENOSPC', 'EDQUOT'])

/**
 * Turns what the file system said while `path` was written into `EXPORT_DISK_FULL` or `EXPORT_WRITE_FAILED`.
 * @param neededBytes how much is still to be written, at most
 */
export async function writeError(cause: unknown, path: string, neededBytes = 0): Promise<PlatformError> {
  if (cause instanceof Error && 'code' in cause && full.has(cause.code)) {
    const free = await statfs(dirname(path)).catch(() => ({ bavail: 0, bsize: 0 }))
    const details = { path, needed_bytes: neededBytes, available_bytes: free.bavail * free.bsize }
    const places = { path, needed: details.needed_bytes, available: details.available_bytes }
    return exportErrors.error('EXPORT_DISK_FULL', places, { cause, details })
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return exportErrors.error('EXPORT_WRITE_FAILED', { path, reason }, { cause, details: { path } })
}
