import { join } from 'node:path'
import { sizeBytes } from '@backplane/kernel'
import { z } from 'zod'
import { quantity } from './plugin-limits.ts'

const least = 64 * 1024
const Path = z.string().min(1, { error: 'must not be empty' })
const filesRule = 'must be a whole number of at least 2'

/** What is written down of who did what, and where. */
export const Audit = z.strictObject({
  /** False writes no audit log at all. */
  enabled: z.boolean().default(true),
  /** The log's own; default: `audit` in the data directory. */
  directory: Path.optional(),
  /** What records are marked with; made when it is missing. Default: `audit.key` in the data directory. */
  key_file: Path.optional(),
  max_file_size: quantity(sizeBytes, 'must be a size with a unit, such as "16MiB", of at least 64KiB', least).default(
    16 * 1024 ** 2,
  ),
  keep_files: z.int({ error: filesRule }).min(2, { error: filesRule }).default(64),
  /** What follows when it cannot be written: nothing is changed over the API, or the log of the daemon tells. */
  on_failure: z.enum(['refuse', 'warn']).default('refuse'),
  /** Also every call to a plugin, and requests that only look. */
  log_all_operations: z.boolean().default(false),
  /** Reads of secrets: written down, not written down, or (those by plugins themselves) refused. */
  sensitive_data_access: z.enum(['record', 'ignore', 'deny']).default('record'),
})

/** How the audit log is kept; paths are absolute. */
export interface AuditConfig {
  readonly enabled: boolean
  readonly directory: string
  readonly keyFile: string
  readonly maxFileBytes: number
  readonly keepFiles: number
  readonly onFailure: 'refuse' | 'warn'
  readonly all: boolean
  readonly secretReads: 'record' | 'ignore' | 'deny'
}

/** What the file says, with the places that it leaves out. */
export function auditConfig(raw: z.output<typeof Audit>, dataDirectory: string, absolute: (path: string) => string): AuditConfig {
  return {
    enabled: raw.enabled,
    directory: absolute(raw.directory ?? join(dataDirectory, 'audit')),
    keyFile: absolute(raw.key_file ?? join(dataDirectory, 'audit.key')),
    maxFileBytes: raw.max_file_size,
    keepFiles: raw.keep_files,
    onFailure: raw.on_failure,
    all: raw.log_all_operations,
    secretReads: raw.sensitive_data_access,
  }
}
