import type { Limits } from '@backplane/kernel'
import { defaultLimits, type SessionLimits } from '@backplane/rpc'

/** How every tier behind a session holds what a plugin writes, for people. */
export const outputMechanism = 'lines beyond it are dropped, streams are read no faster, and a flood ends the plugin'

/** A call may have several requests of its own open, such as a stream it reads while it writes state. */
const leastInFlight = 64
/** So many times what a plugin may log at once, each second, is no mistake any more; the session's own small messages are far less. */
const bursts = 4
const leastFloodBytes = 4 * 1024 ** 2
/** Messages of the largest size that may be held at once. */
const largestHeld = 16

/**
 * What the host takes from one plugin over its session. A plugin's requests in flight are held to what it may have of
 * calls; what they hold, and what a stream may send ahead, to a few messages of the largest size; its log lines, which are
 * the only notices there are, to what it may write. The guest is told, lets further requests wait and drops further lines;
 * one that does not keep to it ends its session.
 */
export function sessionLimits(limits: Limits): Partial<SessionLimits> {
  const { messageBytes, concurrency, queue, outputBytesPerSecond, outputBurstBytes } = limits
  const inFlightBytes = Math.max(messageBytes, Math.min(defaultLimits.inFlightBytes, largestHeld * messageBytes))
  return {
    messageBytes,
    inFlight: Math.max(leastInFlight, concurrency + queue),
    inFlightBytes,
    noticeBytesPerSecond: outputBytesPerSecond,
    noticeBurstBytes: outputBurstBytes,
    floodBytesPerSecond: Math.max(leastFloodBytes, bursts * outputBurstBytes),
    credit: Math.min(defaultLimits.credit, Math.floor(inFlightBytes / messageBytes)),
  }
}
