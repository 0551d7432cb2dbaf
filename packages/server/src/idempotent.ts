import { createHash } from 'node:crypto'
import { serverErrors } from './errors.ts'
import type { Handler } from './handler.ts'

/** How much is remembered of answered requests. */
export interface IdempotencyOptions {
  /** Keys remembered; the oldest is forgotten for a new one. Default 1 000. */
  readonly entries?: number
  /** How long an answer is repeated, ms. Default 10 minutes. */
  readonly keepMs?: number
  /** Answers larger than this are not kept, bytes. Default 256 KiB. */
  readonly answerBytes?: number
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: ArrayBuffer | null
}

interface Entry {
  readonly fingerprint: string
  readonly atMs: number
  /** Undefined when the answer is none to repeat; the entry is forgotten by then. */
  readonly answer: Promise<Answer | undefined>
}

/**
 * Honours `Idempotency-Key` on POST: the same request with the same key is done once, also while the first is still
 * running, and the repeated answer carries `Idempotency-Replayed: true`. Failures of the server (500 and above) and
 * refusals that may pass (429) are not repeated. Place it inside the guard, which bounds the body.
 * Errors, thrown: `SERVER_IDEMPOTENCY_KEY_INVALID`, `SERVER_IDEMPOTENCY_MISMATCH`.
 * Source: draft-ietf-httpapi-idempotency-key-header-07.
 */
export function idempotent(options: IdempotencyOptions = {}): (handler: Handler) => Handler {
  const { entries = 1_000, keepMs = 600_000, answerBytes = 256 * 1_024 } = options
  const known = new Map<string, Entry>()

  const remember = (key: string, fingerprint: string, response: Promise<Response>): void => {
    const [oldest] = known.keys()
    if (known.size >= entries && oldest !== undefined) known.delete(oldest)
    const answer = toKeep(response, answerBytes).then((kept) => {
      if (kept === undefined) known.delete(key)
      return kept
    })
    known.set(key, { fingerprint, atMs: performance.now(), answer })
  }

  return (handler) => async (request, peer) => {
    const key = request.headers.get('idempotency-key')
    if (key === null || request.method !== 'POST') return handler(request, peer)
    if (!/^[\x21-\x7e]{1,128}$/.test(key)) throw serverErrors.error('SERVER_IDEMPOTENCY_KEY_INVALID')
    const body = await request.arrayBuffer()
    const fingerprint = createHash('sha256').update(`${request.url}\n`).update(new Uint8Array(body)).digest('base64')
    for (let entry = known.get(key); entry !== undefined; entry = known.get(key)) {
      if (performance.now() - entry.atMs >= keepMs) known.delete(key)
      else if (entry.fingerprint !== fingerprint) throw serverErrors.error('SERVER_IDEMPOTENCY_MISMATCH')
      else {
        const answer = await entry.answer
        if (answer !== undefined) return replay(answer)
      }
    }
    const { url, method, headers, signal } = request
    const again = new Request(url, { method, headers, signal, ...(body.byteLength === 0 ? {} : { body }) })
    const response = Promise.resolve(handler(again, peer))
    remember(key, fingerprint, response)
    await known.get(key)?.answer
    return response
  }
}

async function toKeep(pending: Promise<Response>, limitBytes: number): Promise<Answer | undefined> {
  try {
    const response = await pending
    if (response.status >= 500 || response.status === 429) return undefined
    const body = response.body === null ? null : await response.clone().arrayBuffer()
    if ((body?.byteLength ?? 0) > limitBytes) return undefined
    return { status: response.status, headers: response.headers, body }
  } catch {
    return undefined
  }
}

function replay(answer: Answer): Response {
  const headers = new Headers(answer.headers)
  headers.set('idempotency-replayed', 'true')
  return new Response(answer.body, { status: answer.status, headers })
}
