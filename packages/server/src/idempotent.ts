import { createHash } from 'node:crypto'
import { serverErrors } from './errors.ts'
import type { Handler, Peer } from './handler.ts'
import { bringsArchive } from './installs/receive-upload.ts'

/** How much is remembered of answered requests. */
export interface IdempotencyOptions {
  /** Keys remembered; the oldest is forgotten for a new one. Default 1 000. */
  readonly entries?: number
  /** How long an answer is repeated, ms. Default 10 minutes. */
  readonly keepMs?: number
  /** Answers larger than this are not kept, bytes. Default 256 KiB. */
  readonly answerBytes?: number
  /** All answers kept, bytes of their bodies; the oldest are forgotten for a new one. Default 8 MiB. */
  readonly totalBytes?: number
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: ArrayBuffer | null
}

interface Entry {
  readonly fingerprint: string
  readonly atMs: number
  /** 0 until the answer is there. */
  bodyBytes: number
  /** Undefined when the answer is none to repeat; the entry is forgotten by then. */
  readonly answer: Promise<Answer | undefined>
}

/** Answers by key, oldest first, within their limits. */
class KeptAnswers {
  readonly #limits: Required<IdempotencyOptions>
  readonly #known = new Map<string, Entry>()
  #bytes = 0

  constructor(options: IdempotencyOptions) {
    this.#limits = { entries: 1_000, keepMs: 600_000, answerBytes: 256 * 1_024, totalBytes: 8 * 1_024 * 1_024, ...options }
  }

  find(key: string): Entry | undefined {
    this.#tidy()
    return this.#known.get(key)
  }

  /** Settles when the answer is kept, or is found to be none to keep. */
  async remember(key: string, fingerprint: string, response: Promise<Response>): Promise<void> {
    const answer = toKeep(response, this.#limits.answerBytes).then((kept) => {
      if (kept === undefined) this.#forget(key, entry)
      else this.#count(key, entry, kept)
      return kept
    })
    const entry: Entry = { fingerprint, atMs: performance.now(), bodyBytes: 0, answer }
    this.#known.set(key, entry)
    this.#tidy()
    await answer
  }

  #count(key: string, entry: Entry, { body }: Answer): void {
    if (this.#known.get(key) !== entry) return
    entry.bodyBytes = body?.byteLength ?? 0
    this.#bytes += entry.bodyBytes
    this.#tidy()
  }

  #forget(key: string, entry: Entry): void {
    if (this.#known.get(key) !== entry) return
    this.#known.delete(key)
    this.#bytes -= entry.bodyBytes
  }

  /** A map keeps the order its keys came in, so the oldest come first. */
  #tidy(): void {
    const { entries, keepMs, totalBytes } = this.#limits
    for (const [key, entry] of this.#known) {
      const expired = performance.now() - entry.atMs >= keepMs
      if (!expired && this.#known.size <= entries && this.#bytes <= totalBytes) return
      this.#forget(key, entry)
    }
  }
}

/**
 * Honours `Idempotency-Key` on POST: the same request with the same key is done once, also while the first is still
 * running, and the repeated answer carries `Idempotency-Replayed: true`. A key is its caller's own. Not repeated are answers
 * that are not to be stored (`Cache-Control: no-store`), failures of the server (500 and
 * above), refusals that may pass (429), and answers to nobody (499): the client that left must be able to ask again.
 * What is kept is in memory and bounded in number, time and bytes. Place it inside the guard, which bounds the body.
 * Errors, thrown: `SERVER_IDEMPOTENCY_KEY_INVALID`, `SERVER_IDEMPOTENCY_MISMATCH`.
 * Source: draft-ietf-httpapi-idempotency-key-header-07.
 */
export function idempotent(options: IdempotencyOptions = {}): (handler: Handler) => Handler {
  const kept = new KeptAnswers(options)

  const answerOnce = async (key: string, fingerprint: string, work: () => Promise<Response>): Promise<Response> => {
    for (let entry = kept.find(key); entry !== undefined; entry = kept.find(key)) {
      if (entry.fingerprint !== fingerprint) throw serverErrors.error('SERVER_IDEMPOTENCY_MISMATCH')
      const answer = await entry.answer
      if (answer !== undefined) return replay(answer)
    }
    const response = work()
    await kept.remember(key, fingerprint, response)
    return response
  }

  return (handler) => async (request, peer) => {
    const given = request.headers.get('idempotency-key')
    if (given === null || request.method !== 'POST') return handler(request, peer)
    if (!/^[\x21-\x7e]{1,128}$/.test(given)) throw serverErrors.error('SERVER_IDEMPOTENCY_KEY_INVALID')
    // Nobody is given an answer that another caller was, whoever's key it is.
    const key = `${given} ${peer.caller?.name ?? ''}`
    // An archive is received first, bounded and beside the others; what is done with it is done once.
    if (bringsArchive(request)) {
      const once: NonNullable<Peer['once']> = (content, work) =>
        answerOnce(key, fingerprintOf(request, Buffer.from(content)), work)
      return handler(request, { ...peer, once })
    }
    const body = await request.arrayBuffer()
    const { url, method, headers, signal } = request
    const again = new Request(url, { method, headers, signal, ...(body.byteLength === 0 ? {} : { body }) })
    return answerOnce(key, fingerprintOf(request, new Uint8Array(body)), async () => handler(again, peer))
  }
}

function fingerprintOf({ url }: Request, body: Uint8Array): string {
  return createHash('sha256').update(`${url}\n`).update(body).digest('base64')
}

/** Too many requests, and a client that has gone. */
const passing = new Set([429, 499])

async function toKeep(pending: Promise<Response>, limitBytes: number): Promise<Answer | undefined> {
  try {
    const response = await pending
    if (response.status >= 500 || passing.has(response.status)) return undefined
    // A secret that is shown once.
    if (response.ok && response.headers.get('cache-control') === 'no-store') return undefined
    // A file is passed on as it is made, however large it is.
    if (response.headers.has('content-disposition')) return undefined
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
