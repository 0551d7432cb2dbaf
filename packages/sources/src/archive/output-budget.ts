import type { ArchiveLimits } from './archive-limits.ts'
import { archiveErrors } from './errors.ts'

/** Counts what comes out of an archive against what went in. Errors: `ARCHIVE_RATIO`. */
export function outputBudget(archiveBytes: number, { ratio, ratioFromBytes }: ArchiveLimits): (bytes: number) => void {
  const allowed = Math.max(ratioFromBytes, ratio * archiveBytes)
  let spent = 0
  return (bytes) => {
    spent += bytes
    if (spent > allowed) throw archiveErrors.error('ARCHIVE_RATIO', { ratio, limit: 'ratio' })
  }
}
