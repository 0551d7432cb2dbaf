import type { Caller } from './caller.ts'
import type { Token } from './token.ts'

/** The longest a timer can be, ms. A stream that is cut off by it is taken up again. */
const longestTimerMs = 2 ** 31 - 1

/** One timer for each token, however many requests come with it. */
const expiries = new WeakMap<Token, AbortSignal>()

/** Aborted when the server closes, and when the caller's token is revoked or expires. */
export function endOfCall(token: Caller | Token, closing: AbortSignal): AbortSignal {
  if (!('sha256' in token)) return closing
  const signals = [closing, token.revoked, expiry(token)].filter((signal) => signal !== undefined)
  return signals.length === 1 ? closing : AbortSignal.any(signals)
}

function expiry(token: Token): AbortSignal | undefined {
  if (token.expiresAtMs === undefined) return undefined
  const known = expiries.get(token)
  if (known?.aborted === false) return known
  const signal = AbortSignal.timeout(Math.min(longestTimerMs, Math.max(0, token.expiresAtMs - Date.now())))
  expiries.set(token, signal)
  return signal
}
