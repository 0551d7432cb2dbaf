import { PlatformError, type PlatformErrorJson } from '@backplane/sdk'
import { deeperThan } from './control-text.ts'
import { rpcErrors } from './errors.ts'
import type { PeerLimits } from './limits.ts'

/** On the wire an error also keeps the two names that programs tell apart by name. */
interface WireError extends PlatformErrorJson {
  readonly name?: 'AbortError' | 'TimeoutError'
  readonly cause?: WireError
}

/**
 * The JSON text of whatever was thrown: code, message, hint, details, and causes. When that is more than `peer` takes,
 * code and the beginning of the message remain. Never throws.
 */
export function errorText(thrown: unknown, peer: Pick<PeerLimits, 'messageBytes' | 'depth'>): string {
  const json = encodeError(thrown)
  const text = JSON.stringify(json)
  if (text.length * 3 + headRoomBytes <= peer.messageBytes && !deeperThan(text, peer.depth)) return text
  const { code, message, retryable } = json
  return JSON.stringify({ code: code.slice(0, 100), message: message.slice(0, 10_000), retryable })
}

/** For the kind of the message, its id, and the frame. */
const headRoomBytes = 100

function encodeError(thrown: unknown): WireError {
  try {
    // The JSON form of a cause is the only public way to get that of an error which is not a PlatformError.
    const json = thrown instanceof PlatformError ? thrown.toJSON() : new PlatformError('', '', { cause: thrown }).toJSON().cause
    return withNames(JSON.parse(JSON.stringify(json)) as WireError, thrown)
  } catch {
    return { code: 'INTERNAL', message: 'an error that cannot be written as JSON', retryable: false }
  }
}

function withNames(json: WireError, thrown: unknown): WireError {
  if (!(thrown instanceof Error)) return json
  const cause = json.cause === undefined ? {} : { cause: withNames(json.cause, thrown.cause) }
  const name = thrown.name === 'AbortError' || thrown.name === 'TimeoutError' ? { name: thrown.name } : {}
  return { ...json, ...name, ...cause } as WireError
}

/** The error the peer sent, whatever it really is. Never throws. */
export function decodeError(json: unknown): PlatformError {
  const error = PlatformError.fromJSON(json)
  for (let at: unknown = error, from = json; at instanceof Error; at = at.cause) {
    const source = (typeof from === 'object' && from !== null ? from : {}) as { name?: unknown; cause?: unknown }
    if (source.name === 'AbortError' || source.name === 'TimeoutError') at.name = source.name
    from = source.cause
  }
  return error
}

/** What a call rejects with when `signal` was aborted: its reason where that says which kind it is. */
export function abortError(target: string, reason: unknown): Error {
  if (reason instanceof Error && (reason.name === 'AbortError' || reason.name === 'TimeoutError')) return reason
  const error = rpcErrors.error('RPC_CANCELLED', { target }, { cause: reason })
  error.name = 'AbortError'
  return error
}

/** What a call rejects with when its deadline passed. */
export function deadlineError(target: string, deadlineAtMs: number): Error {
  const at = new Date(deadlineAtMs).toISOString()
  const error = rpcErrors.error('RPC_DEADLINE', { target, at }, { details: { deadlineAtMs } })
  error.name = 'TimeoutError'
  return error
}
