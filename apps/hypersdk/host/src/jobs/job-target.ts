import { realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { ExportsConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'

/**
 * The absolute directory an export goes to. Only the export directory and those the configuration allows may be
 * written below, links followed, so that a caller of the API cannot choose any place the daemon could write to.
 * Errors: `JOB_TARGET_UNSUPPORTED` (a URL), `JOB_TARGET_FORBIDDEN`.
 */
export async function exportTarget(wanted: string | undefined, jobId: string, config: ExportsConfig): Promise<string> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(wanted ?? '')?.[1]
  if (scheme !== undefined) throw hypersdkErrors.error('JOB_TARGET_UNSUPPORTED', { target: `${scheme}://` })
  if (wanted?.includes('\0')) throw hypersdkErrors.error('JOB_TARGET_FORBIDDEN', { path: 'a path with a NUL' })
  const target = resolve(config.directory, wanted ?? jobId)
  const real = await realPlace(target)
  for (const root of [config.directory, ...config.allow]) {
    if (isWithin(await realPlace(root), real)) return target
  }
  throw hypersdkErrors.error('JOB_TARGET_FORBIDDEN', { path: target })
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path)
  return way === '' || (way !== '..' && !way.startsWith('../'))
}

/** The path with links followed as far as it exists. */
async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await realPlace(parent), basename(path))
  }
}
