import { randomUUID } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { PlatformError, Progress } from '@backplane/sdk'
import { ParseError } from 'eventsource-parser/stream'
import { addressText, type Address } from './address.ts'
import { clientErrors } from './errors.ts'
import { readEvents, type ApiEvent } from './event-stream.ts'
import { HostError, type HostProblem } from './host-error.ts'

/** What Node calls it when it does not trust a certificate. Source: Node, "TLS", X509 certificate error codes. */
const certificateProblem = /CERT|^(?:UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/

/** Names only this machine answers to. */
const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

type Method = 'GET' | 'POST' | 'DELETE'

/** A request body that is not made here: as it is, with its media type. */
export interface Content {
  readonly type: string
  readonly text: string
}

/** A file that is sent as it is read. */
export interface SentFile {
  readonly type: string
  readonly bytes: Readable
  readonly sizeBytes: number
}

/** What goes with a request. */
interface Sent {
  readonly content?: Content | undefined
  readonly file?: SentFile | undefined
  /** Statuses of 400 and above under which JSON is an answer and no problem. */
  readonly answers?: readonly number[] | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
}

/** How a stream of events is taken up. */
export interface EventsOptions {
  /** Resumes after this event. */
  readonly lastId?: string | undefined
  /** The host answers. */
  readonly onOpen?: () => void
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
}

/** Calls the host's REST API over its unix socket or a URL. */
export class ApiClient {
  readonly #address: Address
  readonly #timeoutMs: number

  /** `timeoutMs`: longest silence of the host in one request. */
  constructor(address: Address, timeoutMs: number) {
    this.#address = address
    this.#timeoutMs = timeoutMs
  }

  async get(path: string, query?: URLSearchParams): Promise<unknown> {
    return this.#json('GET', withQuery(path, query))
  }

  /** Sends JSON. Safe to repeat by itself after a lost connection: it carries a key of its own. */
  async post(path: string, body?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#repeatable(path, body === undefined ? {} : { content: { type: 'application/json', text: JSON.stringify(body) } })
  }

  /**
   * Sends a body as it is, as safe to repeat. `answers` are statuses of 400 and above under which JSON is an answer: a list
   * that was refused in all its parts answers with the reason of each.
   */
  async postContent(path: string, content: Content, answers: readonly number[] = []): Promise<unknown> {
    return this.#repeatable(path, { content, answers })
  }

  /**
   * A change that may take long: told of its progress while it goes on, and answered as if it had been waited for. Errors: what the
   * host refused it with.
   */
  async change(
    path: string,
    body: Readonly<Record<string, unknown>>,
    onProgress?: (progress: Progress) => void,
  ): Promise<unknown> {
    const content = { type: 'application/json', text: JSON.stringify(body) }
    const answer = await this.#repeatable(path, { content, headers: { prefer: 'respond-async, wait=1' } })
    if (!isOperation(answer)) return answer
    for await (const { event, data } of this.events(`/api/operations/${encodeURIComponent(answer.id)}/events`)) {
      if (!isOperation(data)) continue
      if (data.progress !== null) onProgress?.(data.progress)
      if (event !== 'end') continue
      if (data.problem !== null) throw new HostError(data.problem)
      return data.result
    }
    throw this.#error('CLIENT_CONNECTION_LOST', { reason: 'the change went on, and its end was not told' })
  }

  /** Sends a file; the host's pace sets that of the reading. */
  async upload(path: string, file: SentFile): Promise<unknown> {
    return this.#json('POST', path, { file })
  }

  async delete(path: string, query?: URLSearchParams): Promise<unknown> {
    return this.#json('DELETE', withQuery(path, query))
  }

  /** Asks for a file that is there; its size where the host says it, and its bytes, which set the pace. */
  async read(path: string): Promise<{ readonly sizeBytes: number | undefined; readonly bytes: Readable }> {
    const answer = await this.#request('GET', path)
    if (answer.statusCode !== 200) throw await this.#problem(answer)
    const length = Number(answer.headers['content-length'] ?? Number.NaN)
    return { sizeBytes: Number.isNaN(length) ? undefined : length, bytes: this.#bytes(answer) }
  }

  /** Asks for a file by POST; its name as the host gave it, and its bytes, which set the pace. */
  async file(path: string, query?: URLSearchParams): Promise<{ readonly name: string | undefined; readonly bytes: Readable }> {
    const answer = await this.#request('POST', withQuery(path, query))
    if (answer.statusCode !== 200) throw await this.#problem(answer)
    const name = /filename="([\w.-]{1,200})"/.exec(String(answer.headers['content-disposition']))?.[1]
    return { name, bytes: this.#bytes(answer) }
  }

  /** The events of one connection; ends when the host ends it or it breaks. */
  async *events(path: string, { lastId, onOpen, signal }: EventsOptions = {}): AsyncGenerator<ApiEvent> {
    const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
    const answer = await this.#request('GET', path, { headers, signal })
    if (answer.statusCode !== 200) throw await this.#problem(answer)
    onOpen?.()
    // The host sends a comment every 15 s; silence beyond a minute is a dead connection.
    answer.socket.setTimeout(Math.max(this.#timeoutMs, 60_000))
    try {
      yield* readEvents(Readable.toWeb(answer))
    } catch (error) {
      // Bytes that break off end the events.
      if (error instanceof SyntaxError || error instanceof ParseError) throw this.#error('CLIENT_ANSWER_INVALID')
    } finally {
      answer.destroy()
    }
  }

  async #repeatable(path: string, given: Sent): Promise<unknown> {
    const sent = { ...given, headers: { ...given.headers, 'idempotency-key': randomUUID() } }
    try {
      return await this.#json('POST', path, sent)
    } catch (error) {
      if (!isLost(error)) throw error
      return this.#json('POST', path, sent)
    }
  }

  async #json(method: Method, path: string, sent: Sent = {}): Promise<unknown> {
    const answer = await this.#request(method, path, sent)
    const status = answer.statusCode ?? 0
    const isJson = String(answer.headers['content-type']).startsWith('application/json')
    if (status >= 400 && !(isJson && sent.answers?.includes(status) === true)) throw await this.#problem(answer)
    return parse(await this.#read(answer)) ?? (status === 204 ? null : this.#refuse('CLIENT_ANSWER_INVALID'))
  }

  async #problem(answer: IncomingMessage): Promise<Error> {
    const body = parse(await this.#read(answer))
    const isProblem = typeof body === 'object' && body !== null && 'code' in body && 'detail' in body
    return isProblem ? new HostError(body as HostProblem) : this.#error('CLIENT_ANSWER_INVALID')
  }

  /** What of a file comes; that it broke off is told as what it is. */
  #bytes(answer: IncomingMessage): Readable {
    const bytes = answer.pipe(new PassThrough())
    answer.on('error', (error) => bytes.destroy(Object(this.#connectionError(error)) as Error))
    return bytes.once('close', () => answer.destroy())
  }

  async #read(answer: IncomingMessage): Promise<string> {
    try {
      return await text(answer)
    } catch (error) {
      throw this.#connectionError(error)
    }
  }

  async #request(method: Method, path: string, { content, file, headers, signal }: Sent = {}): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const all = {
      ...headers,
      ...(content === undefined ? {} : { 'content-type': content.type, 'content-length': Buffer.byteLength(content.text) }),
      ...(file === undefined ? {} : { 'content-type': file.type, 'content-length': file.sizeBytes }),
      ...this.#credentials(),
    }
    const options = { method, headers: all, agent: false as const, ...(signal === undefined ? {} : { signal }) }
    const { socketPath, url } = target(this.#address, path)
    const sent =
      socketPath === undefined
        ? (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options)
        : httpRequest({ ...options, socketPath, path })
    sent.setTimeout(this.#timeoutMs, () => sent.destroy(this.#error('CLIENT_TIMEOUT', { seconds: this.#timeoutMs / 1_000 })))
    sent.on('response', resolve)
    sent.on('error', (error) => reject(this.#connectionError(error)))
    // A host that refuses answers before it has read everything: its answer counts, not that it stopped reading.
    if (file !== undefined) pipeline(file.bytes, sent).catch((error: unknown) => sent.destroy(Object(error) as Error))
    else sent.end(content?.text)
    return promise
  }

  /** Errors: `CLIENT_TOKEN_EXPOSED` for a token that would cross a network where everybody can read it. */
  #credentials(): Readonly<Record<string, string>> {
    if (this.#address.kind === 'socket') return { host: 'localhost' }
    const { url, token } = this.#address
    if (token === '') return {}
    if (url.protocol === 'http:' && !loopback.test(url.hostname)) throw this.#error('CLIENT_TOKEN_EXPOSED')
    return { authorization: `Bearer ${token}` }
  }

  #connectionError(error: unknown): unknown {
    const code = error instanceof Error ? String(Reflect.get(error, 'code')) : ''
    if (code.startsWith('CLIENT_')) return error
    const socket = this.#address.kind === 'socket'
    if (socket && (code === 'EACCES' || code === 'EPERM')) return this.#error('CLIENT_SOCKET_REFUSED')
    if (['ENOENT', 'ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENOTSOCK', 'ENOTDIR'].includes(code)) {
      return this.#error('CLIENT_UNREACHABLE', { reason: code })
    }
    if (certificateProblem.test(code)) return this.#error('CLIENT_CERTIFICATE_REFUSED', { reason: code })
    return this.#error('CLIENT_CONNECTION_LOST', { reason: code || String(error) })
  }

  #error(code: keyof typeof clientErrors.specs, parameters: Readonly<Record<string, string | number>> = {}): PlatformError {
    return clientErrors.error(code, { address: addressText(this.#address), ...parameters })
  }

  #refuse(code: keyof typeof clientErrors.specs): never {
    throw this.#error(code)
  }
}

/** Whether an error means that the connection broke, so that asking again may help. */
export function isLost(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'CLIENT_CONNECTION_LOST'
}

interface OperationAnswer {
  readonly id: string
  readonly progress: Progress | null
  readonly result: unknown
  readonly problem: HostProblem | null
}

function isOperation(answer: unknown): answer is OperationAnswer {
  return typeof answer === 'object' && answer !== null && 'answer_status' in answer && 'problem' in answer
}

function target(address: Address, path: string): { socketPath: string; url?: never } | { socketPath?: undefined; url: URL } {
  return address.kind === 'socket' ? { socketPath: address.path } : { url: new URL(path, address.url) }
}

function withQuery(path: string, query: URLSearchParams | undefined): string {
  return query === undefined || query.size === 0 ? path : `${path}?${query.toString()}`
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
