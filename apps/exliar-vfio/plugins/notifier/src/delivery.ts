import { setTimeout as delay } from 'node:timers/promises'
import type { PlatformError } from '@backplane/sdk'
import { notifierErrors } from './errors.ts'

/** How long a message is tried. */
export interface DeliveryLimits {
  /** Requests in all. */
  readonly attempts: number
  /** Before the second request, doubled each time, ms. */
  readonly firstDelayMs: number
  /** Longest wait a service may ask for, ms. */
  readonly longestWaitMs: number
  /** For one request, ms. */
  readonly requestMs: number
}

/** What holds where nothing else is said. */
export const deliveryLimits: DeliveryLimits = { attempts: 4, firstDelayMs: 1_000, longestWaitMs: 60_000, requestMs: 10_000 }

/** What is sent where. */
export interface Delivery {
  readonly address: () => Promise<URL>
  /** For messages; the address itself is a secret. */
  readonly origin: string
  readonly body: string
}

/**
 * Sends one message, and again while that may help. Redirects are refused: the message goes where it was granted to go.
 * Errors: `NOTIFIER_REDIRECTED`, `NOTIFIER_REFUSED`, `NOTIFIER_UNREACHABLE`, `NOTIFIER_SECRET_UNUSABLE`, and the host's when it
 * refuses the connection. Cancelled by its signal it rejects with the signal's reason.
 */
export async function deliver(delivery: Delivery, signal: AbortSignal, limits: DeliveryLimits = deliveryLimits): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { error, retryAfterMs } = await attemptOnce(delivery, signal, limits)
    if (error === undefined) return
    const waitMs = retryAfterMs ?? limits.firstDelayMs * 2 ** (attempt - 1)
    if (!error.retryable || attempt >= limits.attempts || waitMs > limits.longestWaitMs) throw error
    await pause(waitMs, signal)
  }
}

interface Attempt {
  readonly error?: PlatformError
  readonly retryAfterMs?: number | undefined
}

async function attemptOnce({ address, origin, body }: Delivery, signal: AbortSignal, limits: DeliveryLimits): Promise<Attempt> {
  const url = await address()
  const timeout = AbortSignal.timeout(limits.requestMs)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    })
    await response.body?.cancel()
    return judge(response, origin)
  } catch (error) {
    signal.throwIfAborted()
    const cause: unknown = error instanceof Error ? (error.cause ?? error) : error
    // The host refused the connection, and will refuse the next one.
    if (isRefusal(cause)) throw cause
    const reason = timeout.aborted ? `no answer within ${limits.requestMs} ms` : reasonOf(cause)
    return { error: notifierErrors.error('NOTIFIER_UNREACHABLE', { origin, reason }) }
  }
}

function judge({ ok, status, headers }: Response, origin: string): Attempt {
  if (ok) return {}
  if (status >= 300 && status < 400) return { error: notifierErrors.error('NOTIFIER_REDIRECTED', { origin, status }) }
  if (status !== 429 && status < 500) return { error: notifierErrors.error('NOTIFIER_REFUSED', { origin, status }) }
  const after = headers.get('retry-after') ?? ''
  const retryAfterMs = /^\d{1,6}(?:\.\d+)?$/.test(after) ? Number(after) * 1_000 : undefined
  return { error: notifierErrors.error('NOTIFIER_UNREACHABLE', { origin, reason: `status ${status}` }), retryAfterMs }
}

/** By its name: the host's refusal is made where this plugin's copy of the class is not. */
function isRefusal(error: unknown): error is PlatformError {
  return error instanceof Error && error.name === 'PlatformError' && Reflect.get(error, 'retryable') === false
}

/** By its code: a message of the network may hold the address. */
function reasonOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : 'the connection failed'
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
