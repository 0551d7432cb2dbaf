import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { pipeline, type Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import type { Authority } from './authority.ts'
import { ByteStream } from './byte-stream.ts'
import type { EgressGate, EgressGateOptions } from './egress-gate.ts'
import type { EgressHeaders } from './egress-options.ts'
import { addressHeader } from './egress-words.ts'
import { bodyFraming, forwardedHeaders, originOf } from './forwarded-headers.ts'
import { runtimeErrors } from '../errors.ts'

/** One connection of a plugin's, and the one it stands for. */
interface Attached {
  readonly authority: Authority
  readonly upstream: TLSSocket
  readonly agent: Agent
  /** Asked and not yet answered. */
  readonly waiting: Set<ServerResponse>
}

/** Requests a plugin may send on one connection before the first is answered; clients send one. */
const mostWaiting = 16

/**
 * Connections on which the plugin speaks plain HTTP/1.1 to the broker, and the broker HTTPS to where the plugin believes to
 * be: one for one, so that an error, an end and a limit of the one is that of the other. The broker adds credentials.
 */
export class AttachedRequests implements Disposable {
  readonly #gate: EgressGate
  readonly #options: EgressGateOptions
  readonly #connections = new WeakMap<Duplex, Attached>()
  readonly #server: Server

  constructor(gate: EgressGate, options: EgressGateOptions) {
    this.#gate = gate
    this.#options = options
    const { headerBytes } = gate.limits
    this.#server = createServer({ maxHeaderSize: headerBytes, requestTimeout: 0, keepAliveTimeout: 0, noDelay: false })
    this.#server.on('request', (request, response) => void this.#answer(request, response).catch(() => response.destroy()))
  }

  /** Connects a plugin's stream. Errors: as {@link EgressGate.connect}, those of TLS, `EGRESS_DENIED` without credentials. */
  async take(stream: ServerHttp2Stream, authority: Authority): Promise<void> {
    if ((await this.#credentials(authority)) === undefined) throw this.#withoutCredentials(authority)
    const gone = new AbortController()
    const leave = (): void => gone.abort(new DOMException('the plugin gave up', 'AbortError'))
    stream.once('close', leave)
    const upstream = await this.#secure(authority, gone.signal)
    stream.off('close', leave)
    if (stream.destroyed) return void upstream.destroy()
    const bytes = new ByteStream(stream)
    stream.on('close', () => upstream.destroy())
    upstream.on('close', () => bytes.end())
    this.#connections.set(bytes, { authority, upstream, agent: new OneConnection(upstream), waiting: new Set() })
    stream.respond({ ':status': 200, [addressHeader]: upstream.remoteAddress ?? '' })
    this.#server.emit('connection', bytes)
  }

  [Symbol.dispose](): void {
    this.#server.removeAllListeners('request')
    this.#server.close()
  }

  #secure(authority: Authority, signal: AbortSignal): Promise<TLSSocket> {
    return this.#gate.connect(authority, signal, (socket) => this.#handshake(authority, socket))
  }

  #handshake(authority: Authority, socket: Socket): Promise<TLSSocket> {
    const { ca } = this.#options.options
    const { host, kind } = authority
    const name = kind === 'name' ? { servername: host } : {}
    const upstream = connect({ socket, host, ...name, ...(ca === undefined ? {} : { ca }), ALPNProtocols: ['http/1.1'] })
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
    upstream.once('secureConnect', () => resolve(upstream))
    upstream.once('error', reject)
    upstream.once('close', () => reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })))
    // One that is given up may still fail, and is then nobody's.
    upstream.on('error', () => undefined)
    return promise.finally(() => upstream.off('error', reject))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const attached = this.#connections.get(request.socket)
    if (attached === undefined) return void response.destroy()
    const { authority, agent, upstream, waiting } = attached
    if (waiting.size >= mostWaiting) return void request.socket.destroy()
    waiting.add(response)
    response.once('close', () => waiting.delete(response))
    const { method = 'GET', url = '/' } = request
    // What a server is asked to send back would bring the credentials with it.
    if (method === 'TRACE' || !(url.startsWith('/') || url === '*')) return void response.writeHead(405).end()
    const framing = bodyFraming(request.headers)
    if (framing === undefined) return void response.writeHead(501, { connection: 'close' }).end()
    const credentials = await this.#credentials(authority)
    if (credentials === undefined) throw this.#withoutCredentials(authority)
    const headers = forwardedHeaders(request.rawHeaders, { host: originOf(authority), ...credentials, ...framing })
    const onward = httpRequest({ agent, method, path: url, headers, setHost: false })
    const failed = (): void => void response.destroy()
    upstream.once('close', failed)
    response.once('finish', () => upstream.off('close', failed))
    response.once('close', () => (response.writableFinished ? undefined : onward.destroy()))
    onward.once('error', failed)
    onward.once('response', (answer) => {
      upstream.off('close', failed)
      passOn(answer, response)
    })
    pipeline(request, onward, () => undefined)
  }

  async #credentials({ text }: Authority): Promise<EgressHeaders | undefined> {
    const { plugin, options } = this.#options
    try {
      return await options.credentials?.({ plugin, authority: text })
    } catch {
      // What went wrong in the host is not for the plugin to read.
      return undefined
    }
  }

  #withoutCredentials({ text }: Authority): Error {
    const { plugin } = this.#options
    return runtimeErrors.error(
      'EGRESS_DENIED',
      { plugin, authority: text, reason: 'needs credentials that its host does not have' },
      { plugin },
    )
  }
}

function passOn(answer: IncomingMessage, response: ServerResponse): void {
  try {
    response.shouldKeepAlive &&= !/\bclose\b/i.test(answer.headers.connection ?? '')
    response.sendDate = false
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, forwardedHeaders(answer.rawHeaders, {}))
  } catch {
    // Headers that Node reads, and would not write.
    return void response.destroy()
  }
  pipeline(answer, response, (error) => (error === undefined || error === null ? undefined : response.destroy()))
}

/** Keeps to one connection that is there already; when it is gone, there is no other. */
class OneConnection extends Agent {
  #upstream: Duplex | undefined

  constructor(upstream: Duplex) {
    super({ keepAlive: true, maxSockets: 1 })
    this.#upstream = upstream
  }

  override createConnection(_options: unknown, done?: (error: Error | null, stream: Duplex) => void): Duplex | undefined {
    const upstream = this.#upstream
    this.#upstream = undefined
    // Thrown, it would reach nobody; without a stream, the request that wanted it fails.
    if (upstream === undefined) done?.(new Error('the connection is gone'), undefined as never)
    return upstream
  }
}
