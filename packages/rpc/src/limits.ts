import { rpcErrors } from './errors.ts'
import type { SessionLimits } from './session.ts'

/** The limits a session has unless told otherwise. */
export const defaultLimits: SessionLimits = {
  messageBytes: 8 * 1024 * 1024,
  depth: 64,
  inFlight: 1024,
  inFlightBytes: 64 * 1024 * 1024,
  noticeBytesPerSecond: 1024 * 1024,
  noticeBurstBytes: 4 * 1024 * 1024,
  floodBytesPerSecond: 16 * 1024 * 1024,
  credit: 16,
  partialFrameMs: 10_000,
  ackMs: 5_000,
}

/** Below these a session could not even carry its own control messages. */
const leastLimits: SessionLimits = {
  messageBytes: 256 * 1024,
  depth: 8,
  inFlight: 1,
  inFlightBytes: 256 * 1024,
  noticeBytesPerSecond: 1,
  noticeBurstBytes: 1,
  floodBytesPerSecond: 256 * 1024,
  credit: 1,
  partialFrameMs: 1,
  ackMs: 1,
}

/** The part of the limits a peer is told. */
export type PeerLimits = Pick<
  SessionLimits,
  'messageBytes' | 'depth' | 'inFlight' | 'inFlightBytes' | 'noticeBytesPerSecond' | 'noticeBurstBytes'
>

/** What a peer that says nothing of notices takes of them. */
const unlimited = Number.MAX_SAFE_INTEGER

/** Fills in the defaults. Errors: `RPC_LIMIT_INVALID`. */
export function withDefaults(given: Partial<SessionLimits> = {}): SessionLimits {
  const limits = { ...defaultLimits, ...given }
  for (const name of Object.keys(leastLimits) as (keyof SessionLimits)[]) {
    if (!isLimit(name, limits[name])) {
      throw rpcErrors.error('RPC_LIMIT_INVALID', { name, least: leastLimits[name], given: String(limits[name]) })
    }
  }
  return limits
}

/** Reads what the peer said in its `hello`; undefined when it is not legal. */
export function peerLimits(said: unknown): PeerLimits | undefined {
  if (typeof said !== 'object' || said === null) return undefined
  const told = said as Record<keyof PeerLimits, unknown>
  const { messageBytes, depth, inFlight, inFlightBytes, noticeBytesPerSecond = unlimited, noticeBurstBytes = unlimited } = told
  if (!isLimit('messageBytes', messageBytes) || !isLimit('depth', depth)) return undefined
  if (!isLimit('inFlight', inFlight) || !isLimit('inFlightBytes', inFlightBytes)) return undefined
  if (!isLimit('noticeBytesPerSecond', noticeBytesPerSecond) || !isLimit('noticeBurstBytes', noticeBurstBytes)) return undefined
  return { messageBytes, depth, inFlight, inFlightBytes, noticeBytesPerSecond, noticeBurstBytes }
}

/** A message alone is always taken, whatever requests in flight may hold together. */
export function inFlightBytesOf(limits: PeerLimits): number {
  return Math.max(limits.inFlightBytes, limits.messageBytes)
}

function isLimit(name: keyof SessionLimits, value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= leastLimits[name]
}
