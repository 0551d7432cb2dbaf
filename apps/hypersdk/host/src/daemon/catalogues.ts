import { kernelErrors } from '@backplane/kernel'
import { runtimeErrors } from '@backplane/runtimes'
import type { ErrorCatalogue } from '@backplane/sdk'
import { serverErrors } from '@backplane/server'
import { archiveErrors, sourceErrors } from '@backplane/sources'
import { storageErrors } from '@backplane/storage'
import { trustErrors } from '@backplane/trust'
import { hypersdkErrors } from '../errors.ts'
import { exportErrors } from '../export/errors.ts'
import { seedErrors } from '../seed-dialect/errors.ts'

/** Every error the daemon may answer or end with: for HTTP statuses and exit codes. */
export const catalogues: readonly ErrorCatalogue[] = [
  hypersdkErrors,
  exportErrors,
  seedErrors,
  kernelErrors,
  runtimeErrors,
  sourceErrors,
  archiveErrors,
  storageErrors,
  trustErrors,
  serverErrors,
]

/** The exit code of an error; 70 (a defect) for one that no catalogue has. */
export function exitCodeOf(code: string): number {
  for (const { specs } of catalogues) {
    const exit = specs[code]?.exit
    if (exit !== undefined) return exit
  }
  return 70
}
