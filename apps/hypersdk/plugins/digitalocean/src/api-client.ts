import type { PlatformError } from '@backplane/sdk'
import { digitalOceanErrors } from './errors.ts'
import { retryAt, retryLimits, waitUntil, type RequestCall, type RetryLimits } from './retry.ts'
import type { Settings } from './settings.ts'

/** One request. Only those that may be repeated without harm are repeated after a failure. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** From the origin on: `/v2/droplets/7`. */
  readonly path: string
  readonly body?: unknown
  /** What is asked for, for messages: `droplet 7`. */
  readonly what: string
}

/** An object of the API's JSON. */
export type Json = Readonly<Record<string, unknown>>

const mostBytes = 16 * 1024 * 1024
const mostPages = 1000

/**
 * Speaks with the DigitalOcean API v2. The token goes to the configured origin only: redirects are not followed, and a
 * link to another origin is an error. Source: docs.digitalocean.com/reference/api, "Introduction".
 */
export class ApiClient {
  readonly #settings: Settings
  readonly #limits: RetryLimits

  constructor(settings: Settings, limits: RetryLimits = retryLimits) {
    this.#settings = settings
    this.#limits = limits
  }

  /**
   * Answers the JSON object, or an empty one for 204. Errors: `DIGITALOCEAN_TOKEN_REFUSED`, `DIGITALOCEAN_FORBIDDEN`,
   * `DIGITALOCEAN_NOT_FOUND`, `DIGITALOCEAN_RATE_LIMITED`, `DIGITALOCEAN_REFUSED`, `DIGITALOCEAN_UNAVAILABLE`,
   * `DIGITALOCEAN_ANSWER_INVALID`.
   */
  async request(request: ApiRequest, call: RequestCall): Promise<Json> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#attempt(request, call)
      if (answer.kind === 'json') return answer.json
      const backOffMs = Date.now() + this.#limits.firstDelayMs * 2 ** (attempt - 1)
      const again = attempt < this.#limits.attempts && (answer.untouched || request.method !== 'POST')
      if (!again || !(await waitUntil(answer.retryAtMs ?? backOffMs, this.#limits, call))) throw answer.error
    }
  }

  /** Every object of a collection, over all its pages. */
  async list(path: string, key: string, call: RequestCall): Promise<Json[]> {
    const found: Json[] = []
    const seen = new Set<string>()
    for (let next: string | undefined = path; next !== undefined;) {
      if (seen.has(next) || seen.size >= mostPages) throw this.#invalid(next, 'its pages do not end')
      seen.add(next)
      const page = await this.request({ method: 'GET', path: next, what: key }, call)
      const items = page[key]
      if (!Array.isArray(items) || !items.every(isObject)) throw this.#invalid(next, `it has no list "${key}"`)
      for (const item of items) found.push(item)
      next = this.#nextPage(path, page)
    }
    return found
  }

  #nextPage(path: string, page: Json): string | undefined {
    const links = isObject(page['links']) ? page['links'] : {}
    const pages = isObject(links['pages']) ? links['pages'] : {}
    const next = pages['next']
    if (next === undefined || next === null || next === '') return undefined
    if (typeof next !== 'string' || !URL.canParse(next)) throw this.#invalid(path, 'the link to its next page is no URL')
    const url = new URL(next)
    if (url.origin !== this.#settings.origin) throw this.#invalid(path, `its next page is at another place, ${url.origin}`)
    return url.pathname + url.search
  }

  async #attempt(request: ApiRequest, call: RequestCall): Promise<Answer> {
    const timeout = AbortSignal.timeout(this.#settings.timeoutMs)
    try {
      const response = await fetch(this.#settings.origin + request.path, {
        method: request.method,
        redirect: 'manual',
        signal: AbortSignal.any([call.signal, timeout]),
        headers: {
          authorization: `Bearer ${await this.#settings.token()}`,
          accept: 'application/json',
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      })
      return this.#judge(request, response, await readText(response))
    } catch (error) {
      call.signal.throwIfAborted()
      if (isPlatformError(error)) throw error
      // The host refused the connection, and will refuse the next one.
      if (error instanceof Error && isPlatformError(error.cause) && !error.cause.retryable) throw error.cause
      const reason = timeout.aborted ? `no answer within ${this.#settings.timeoutMs} ms` : reasonOf(error)
      return { kind: 'failed', untouched: false, error: this.#unavailable(request, reason, error) }
    }
  }

  #judge(request: ApiRequest, response: Response, text: string | undefined): Answer {
    const { status } = response
    if (text === undefined) throw this.#invalid(request.path, `it is longer than ${mostBytes} bytes`)
    const json = parse(text)
    if (status >= 200 && status < 300) {
      if (json === undefined && status !== 204) throw this.#invalid(request.path, 'it is no JSON object')
      return { kind: 'json', json: json ?? {} }
    }
    const reason = typeof json?.['message'] === 'string' ? json['message'] : response.statusText || `status ${status}`
    if (status >= 500) return { kind: 'failed', untouched: false, error: this.#unavailable(request, `${status} ${reason}`) }
    if (status === 429) {
      const atMs = retryAt(response.headers, Date.now())
      const until = atMs === undefined ? 'later' : new Date(atMs).toISOString()
      const error = digitalOceanErrors.error('DIGITALOCEAN_RATE_LIMITED', { until })
      return { kind: 'failed', untouched: true, error, ...(atMs === undefined ? {} : { retryAtMs: atMs }) }
    }
    if (status === 401) throw digitalOceanErrors.error('DIGITALOCEAN_TOKEN_REFUSED', { reason })
    if (status === 403) throw digitalOceanErrors.error('DIGITALOCEAN_FORBIDDEN', { reason })
    if (status === 404) throw digitalOceanErrors.error('DIGITALOCEAN_NOT_FOUND', { what: request.what })
    const details = typeof json?.['request_id'] === 'string' ? { request_id: json['request_id'] } : undefined
    const name = `${request.method} ${request.path}`
    throw digitalOceanErrors.error('DIGITALOCEAN_REFUSED', { request: name, status, reason }, { details })
  }

  #unavailable(request: ApiRequest, reason: string, cause?: unknown): Error {
    const { origin } = this.#settings
    const name = `${request.method} ${request.path}`
    return digitalOceanErrors.error('DIGITALOCEAN_UNAVAILABLE', { request: name, reason, endpoint: origin }, { cause })
  }

  #invalid(request: string, reason: string): Error {
    return digitalOceanErrors.error('DIGITALOCEAN_ANSWER_INVALID', { request, reason, endpoint: this.#settings.origin })
  }
}

/** `untouched`: the API surely did nothing, so that even a POST may be repeated. */
type Answer =
  | { readonly kind: 'json'; readonly json: Json }
  | { readonly kind: 'failed'; readonly error: Error; readonly untouched: boolean; readonly retryAtMs?: number }

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The body as text; undefined when it is larger than a page of the API can be. */
async function readText(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > mostBytes) return undefined
  }
  return text + decoder.decode()
}

/** By its name: the host's refusal to connect is made where the plugin's own copy of the class is not. */
function isPlatformError(error: unknown): error is PlatformError {
  return error instanceof Error && error.name === 'PlatformError'
}

/** fetch hides why it failed in the cause. */
function reasonOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? (error.cause ?? error) : error
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined
  return typeof code === 'string' ? code : String(cause instanceof Error ? cause.message : cause)
}
