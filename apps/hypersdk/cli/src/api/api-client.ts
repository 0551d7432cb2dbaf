import { randomUUID } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { PlatformError } from '@backplane/sdk'
import { ParseError } from 'eventsource-parser/stream'
import { cliErrors } from '../errors.ts'
import { addressText, type Address } from './address.ts'
import { DaemonError } from './daemon-error.ts'
import type { DaemonProblem } from './daemon-json.ts'
import { readEvents, type ApiEvent } from './event-stream.ts'

/** A request body. */
export interface Content {
  readonly type: string
  readonly text: string
}

type Method = 'GET' | 'POST' | 'DELETE'

/** Calls the daemon's REST API over its unix socket or a URL. */
export class ApiClient {
  readonly #address: Address
  readonly #timeoutMs: number

  /** `timeoutMs`: longest silence of the daemon in one request. */
  constructor(address: Address, timeoutMs: number) {
    this.#address = address
    this.#timeoutMs = timeoutMs
  }

  async get(path: string, query?: URLSearchParams): Promise<unknown> {
    return this.#json('GET', withQuery(path, query))
  }

  /** Sends JSON, or a content as it is. Safe to repeat by itself after a lost connection: it carries a key of its own. */
  async post(path: string, body?: Content | Readonly<Record<string, unknown>>): Promise<unknown> {
    const content = body === undefined || isContent(body) ? body : { type: 'application/json', text: JSON.stringify(body) }
    const key = { 'idempotency-key': randomUUID() }
    try {
      return await this.#json('POST', path, content, key)
    } catch (error) {
      if (!isLost(error)) throw error
      return this.#json('POST', path, content, key)
    }
  }

  async delete(path: string, query?: URLSearchParams): Promise<unknown> {
    return this.#json('DELETE', withQuery(path, query))
  }

  /** The events of one connection; ends when the daemon ends it or it breaks. `lastId` resumes; `onOpen`: the daemon answers. */
  async *events(path: string, lastId?: string, onOpen?: () => void): AsyncGenerator<ApiEvent> {
    const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
    const answer = await this.#request('GET', path, undefined, headers)
    if (answer.statusCode !== 200) throw await this.#problem(answer)
    onOpen?.()
    // The daemon sends a comment every 15 s; silence beyond a minute is a dead connection.
    answer.socket.setTimeout(Math.max(this.#timeoutMs, 60_000))
    try {
      yield* readEvents(Readable.toWeb(answer))
    } catch (error) {
      // Bytes that break off end the events.
      if (error instanceof SyntaxError || error instanceof ParseError) throw this.#error('CLI_ANSWER_INVALID')
    } finally {
      answer.destroy()
    }
  }

  async #json(method: Method, path: string, content?: Content, headers?: Readonly<Record<string, string>>): Promise<unknown> {
    const answer = await this.#request(method, path, content, headers)
    const status = answer.statusCode ?? 0
    // A submission that was refused in all its parts answers 400 with the parts' errors: an answer, not a problem.
    const isProblem = status >= 400 && !String(answer.headers['content-type']).startsWith('application/json')
    if (isProblem) throw await this.#problem(answer)
    return parse(await this.#read(answer)) ?? (status === 204 ? null : this.#refuse('CLI_ANSWER_INVALID'))
  }

  async #problem(answer: IncomingMessage): Promise<Error> {
    const body = parse(await this.#read(answer))
    const isProblem = typeof body === 'object' && body !== null && 'code' in body && 'detail' in body
    return isProblem ? new DaemonError(body as DaemonProblem) : this.#error('CLI_ANSWER_INVALID')
  }

  async #read(answer: IncomingMessage): Promise<string> {
    try {
      return await text(answer)
    } catch (error) {
      throw this.#connectionError(error)
    }
  }

  async #request(
    method: Method,
    path: string,
    content?: Content,
    headers?: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const all = {
      ...headers,
      ...(content === undefined ? {} : { 'content-type': content.type, 'content-length': Buffer.byteLength(content.text) }),
      ...(this.#address.kind === 'url' ? { authorization: `Bearer ${this.#address.token}` } : { host: 'localhost' }),
    }
    const options = { method, headers: all, agent: false as const }
    const { socketPath, url } = target(this.#address, path)
    const sent =
      socketPath === undefined
        ? (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options)
        : httpRequest({ ...options, socketPath, path })
    sent.setTimeout(this.#timeoutMs, () => sent.destroy(this.#error('CLI_TIMEOUT', { seconds: this.#timeoutMs / 1_000 })))
    sent.on('response', resolve)
    sent.on('error', (error) => reject(this.#connectionError(error)))
    sent.end(content?.text)
    return promise
  }

  #connectionError(error: unknown): unknown {
    const code = error instanceof Error ? String(Reflect.get(error, 'code')) : ''
    if (code.startsWith('CLI_')) return error
    const socket = this.#address.kind === 'socket'
    if (socket && (code === 'EACCES' || code === 'EPERM')) return this.#error('CLI_SOCKET_REFUSED')
    if (['ENOENT', 'ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENOTSOCK', 'ENOTDIR'].includes(code)) {
      return this.#error('CLI_DAEMON_UNREACHABLE', { reason: code })
    }
    return this.#error('CLI_CONNECTION_LOST', { reason: code || String(error) })
  }

  #error(code: keyof typeof cliErrors.specs, parameters: Readonly<Record<string, string | number>> = {}): PlatformError {
    return cliErrors.error(code, { address: addressText(this.#address), ...parameters })
  }

  #refuse(code: keyof typeof cliErrors.specs): never {
    throw this.#error(code)
  }
}

/** Whether an error means that the connection broke, so that asking again may help. */
export function isLost(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'CLI_CONNECTION_LOST'
}

function target(address: Address, path: string): { socketPath: string; url?: never } | { socketPath?: undefined; url: URL } {
  return address.kind === 'socket' ? { socketPath: address.path } : { url: new URL(path, address.url) }
}

function withQuery(path: string, query: URLSearchParams | undefined): string {
  return query === undefined || query.size === 0 ? path : `${path}?${query.toString()}`
}

function isContent(body: object): body is Content {
  return 'type' in body && 'text' in body && Object.keys(body).length === 2
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
