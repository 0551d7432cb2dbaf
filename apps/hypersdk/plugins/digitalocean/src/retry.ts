import { setTimeout as delay } from 'node:timers/promises'
import type { Call } from '@backplane/sdk'

/** What a call brings that a request listens to. */
export type RequestCall = Pick<Call, 'signal' | 'deadlineAtMs'>

/** How long a request is tried. Every number is a limit of its own. */
export interface RetryLimits {
  /** Requests in all. */
  readonly attempts: number
  /** Before the second request, doubled each time, ms. */
  readonly firstDelayMs: number
  /** Longest wait the API may ask for, ms; a longer one is told to the user instead of waited for. */
  readonly longestWaitMs: number
}

/** The API's burst limit is over within a minute; its hourly limit is nothing to wait for. */
export const retryLimits: RetryLimits = { attempts: 4, firstDelayMs: 500, longestWaitMs: 65_000 }

/**
 * When the API wants to be asked again, ms since the epoch: `Retry-After` in seconds or as a date, else
 * `RateLimit-Reset` in seconds since the epoch. Undefined when it does not say.
 */
export function retryAt(headers: Headers, nowMs: number): number | undefined {
  const after = headers.get('retry-after')
  if (after !== null && /^\d{1,9}$/.test(after)) return nowMs + Number(after) * 1000
  const date = after === null ? Number.NaN : Date.parse(after)
  if (!Number.isNaN(date)) return date
  const reset = headers.get('ratelimit-reset')
  return reset !== null && /^\d{1,12}$/.test(reset) ? Number(reset) * 1000 : undefined
}

/** Waits until `atMs`, unless that is too long or past the call's deadline; answers whether it waited. */
export async function waitUntil(atMs: number, limits: RetryLimits, call: RequestCall): Promise<boolean> {
  const nowMs = Date.now()
  const latestMs = Math.min(nowMs + limits.longestWaitMs, call.deadlineAtMs ?? Infinity)
  if (atMs > latestMs) return false
  await pause(atMs - nowMs, call.signal)
  return true
}

/** Rejects with the signal's own reason. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(Math.max(0, ms), undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
