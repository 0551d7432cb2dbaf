import { PlatformError } from '@backplane/sdk'
import { storageErrors, type StorageErrorCode } from './errors.ts'

/** Primary result codes. Source: sqlite.org "Result and Error Codes". */
const codes: ReadonlyMap<number, StorageErrorCode> = new Map([
  [5, 'STORE_BUSY'],
  [6, 'STORE_BUSY'],
  [11, 'STORE_CORRUPT'],
  [13, 'STORE_FULL'],
  [26, 'STORE_CORRUPT'],
])

/**
 * The coded error for what was thrown while the database at `path` was used; a coded one as it is. Errors: `STORE_BUSY`,
 * `STORE_CORRUPT`, `STORE_FULL`, else `STORE_UNUSABLE`.
 */
export function sqliteFailure(path: string, error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  const result: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined
  const code = typeof result === 'number' ? codes.get(result & 0xff) : undefined
  const reason = error instanceof Error ? error.message : String(error)
  return storageErrors.error(code ?? 'STORE_UNUSABLE', { path, reason }, { cause: error })
}
