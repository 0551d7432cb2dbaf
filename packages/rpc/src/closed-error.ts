import type { PlatformError } from '@backplane/sdk'
import { rpcErrors } from './errors.ts'

const madeHere = new WeakSet<object>()

/** What is left unanswered ends with this when its session does. */
export function closedError(target: string, cause: unknown): PlatformError {
  const error = rpcErrors.error('RPC_CLOSED', { target }, { cause })
  madeHere.add(error)
  return error
}

/**
 * Whether a call failed because its session ended. True only for an error a session in this program made: a peer may
 * write any code into the errors it sends, this one too.
 */
export function isSessionClosed(error: unknown): boolean {
  return typeof error === 'object' && error !== null && madeHere.has(error)
}
