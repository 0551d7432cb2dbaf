import type { Limits } from '@backplane/kernel'
import { defaultLimits, type SessionLimits } from '@backplane/rpc'

/** A call may have several requests of its own open, such as a stream it reads while it writes state. */
const leastInFlight = 64
/** Messages of the largest size that may be held at once. */
const largestHeld = 16

/**
 * What the host takes from one plugin over its session. A plugin's requests in flight are held to what it may have of
 * calls; what they hold, and what a stream may send ahead, to a few messages of the largest size. The guest is told and
 * lets further requests wait; one that does not keep to it ends its session.
 */
export function sessionLimits({ messageBytes, concurrency, queue }: Limits): Partial<SessionLimits> {
  const inFlightBytes = Math.max(messageBytes, Math.min(defaultLimits.inFlightBytes, largestHeld * messageBytes))
  return {
    messageBytes,
    inFlight: Math.max(leastInFlight, concurrency + queue),
    inFlightBytes,
    credit: Math.min(defaultLimits.credit, Math.floor(inFlightBytes / messageBytes)),
  }
}
