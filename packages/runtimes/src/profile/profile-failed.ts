import type { PlatformError } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'

/** A profile that could not be taken, and why. */
export function profileFailed(plugin: string, reason: string): PlatformError {
  return runtimeErrors.error('RUNTIME_PROFILE_FAILED', { plugin, reason }, { plugin })
}

/** Why there is no profile of the processor on Node before 24.12. */
export const noProfiler: string = `Node ${process.version} has no profiler to call; 26 has`
