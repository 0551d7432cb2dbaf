import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { isIP, type AddressInfo } from 'node:net'
import type { Log } from '@backplane/kernel'
import { serverErrors } from '../errors.ts'
import type { Handler, Peer } from '../handler.ts'
import { problemResponder } from '../problem.ts'
import { answerClientError } from './client-error.ts'
import { capConnections } from './connection-cap.ts'
import { respond } from './fetch-adapter.ts'
import { listen } from './listen.ts'
import { endPendingHandshakes } from './pending-handshakes.ts'
import { readTlsFiles, type TlsFiles, type TlsText } from './tls-files.ts'
import { listenUnix } from './unix-socket.ts'

/** Where to listen, and how much one client may take. At least one of `unixSocket` and `tcp` is given. */
export interface ServeOptions {
  /** Absolute path; mode 0600. Its directory is made with mode 0700 when it is missing. */
  readonly unixSocket?: string | undefined
  readonly tcp?: TcpOptions | undefined
  readonly limits?: Partial<ConnectionLimits>
  readonly log?: Log
}

/** A TCP address. */
export interface TcpOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
  /** Needed for an address that other machines reach. */
  readonly tls?: TlsFiles | undefined
}

/** Ceilings of each listener. */
export interface ConnectionLimits {
  /** Request line and headers, bytes. Default 16 KiB. */
  readonly headerBytes: number
  /** Until the headers are complete, ms. Default 5 000. */
  readonly headersTimeoutMs: number
  /** Until the body is complete, ms. Default 30 000. */
  readonly requestTimeoutMs: number
  /** A connection without a request, ms. Default 5 000. */
  readonly idleTimeoutMs: number
  /** Default 256. */
  readonly connections: number
  /** Default 1 000. */
  readonly requestsPerConnection: number
}

/** A server that listens. Dispose it to close it. */
export interface Served extends AsyncDisposable {
  readonly unixSocket: string | undefined
  /** As bound: `port` is the real one. */
  readonly tcp: { readonly host: string; readonly port: number; readonly url: string } | undefined
  /**
   * Takes no more connections, aborts {@link Peer.closing} so that streams end, lets requests in flight finish and cuts
   * them off after `deadlineMs` (default 10 000). Idempotent, never rejects.
   */
  readonly close: (deadlineMs?: number) => Promise<void>
}

/**
 * Serves a handler on a unix socket, on TCP or on both; on error nothing is left listening. An address that other machines
 * reach is refused without TLS, and with it is a warning in the log: put {@link guard} before the handler, which asks for a
 * token there.
 * Errors: `SERVER_ADDRESS_IN_USE`, `SERVER_ADDRESS_UNAVAILABLE`, `SERVER_ADDRESS_REMOTE`, `SERVER_TLS_INVALID`,
 * `SERVER_SOCKET_OCCUPIED`, `SERVER_SOCKET_PATH_LONG`.
 */
export async function serve(handler: Handler, options: ServeOptions): Promise<Served> {
  const closing = new AbortController()
  const servers: Server[] = []
  await using started = new AsyncDisposableStack()
  const add = (via: Peer['via'], tls?: TlsText): Server => {
    const server = createListener(handler, { via, closing: closing.signal, options, tls })
    servers.push(server)
    started.defer(() => void server.close())
    return server
  }

  if (options.unixSocket !== undefined) started.use(await listenUnix(add('unix'), options.unixSocket))
  const tls = await readTls(options.tcp)
  const tcp = options.tcp === undefined ? undefined : await listenTcp(add('tcp', tls), options.tcp, options.log)

  const names = started.move()
  let closed: Promise<void> | undefined
  const close = async (deadlineMs = 10_000): Promise<void> => {
    const ended = servers.map((server) => once(server, 'close'))
    for (const server of servers) server.close()
    closing.abort()
    await names.disposeAsync()
    const cutOff = setTimeout(() => servers.forEach((server) => server.closeAllConnections()), deadlineMs)
    await Promise.all(ended)
    clearTimeout(cutOff)
  }
  const closeOnce = (deadlineMs?: number): Promise<void> => (closed ??= close(deadlineMs))
  return { unixSocket: options.unixSocket, tcp, close: closeOnce, [Symbol.asyncDispose]: closeOnce }
}

async function listenTcp(server: Server, options: TcpOptions, log: Log | undefined): Promise<Served['tcp']> {
  const { host = '127.0.0.1', port, tls } = options
  await listen(server, { host, port }, `${host}:${port}`)
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const url = `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`
  if (!isLoopback(host)) log?.write({ level: 'warn', message: remoteWarning, fields: { url } })
  return { host: address.address, port: address.port, url }
}

const remoteWarning =
  'other machines reach the API: whoever has a token rules the plugins, and anybody may try tokens and take connections; let a firewall name who may come'

/** What an address needs before it is listened on. */
async function readTls(tcp: TcpOptions | undefined): Promise<TlsText | undefined> {
  if (tcp === undefined) return undefined
  const { host = '127.0.0.1', tls } = tcp
  if (tls !== undefined) return readTlsFiles(tls)
  if (!isLoopback(host)) throw serverErrors.error('SERVER_ADDRESS_REMOTE', { host })
  return undefined
}

/** Whether only this machine reaches an address or name; what {@link serve} asks before it listens. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

interface ListenerContext {
  readonly via: Peer['via']
  readonly closing: AbortSignal
  readonly options: ServeOptions
  readonly tls: TlsText | undefined
}

function createListener(handler: Handler, context: ListenerContext): Server {
  const limits: ConnectionLimits = {
    headerBytes: 16 * 1_024,
    headersTimeoutMs: 5_000,
    requestTimeoutMs: 30_000,
    idleTimeoutMs: 5_000,
    connections: 256,
    requestsPerConnection: 1_000,
    ...context.options.limits,
  }
  const { tls } = context
  const http = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    // How often node looks for what is too slow; its default of 30 s would make 5 s mean 35 s.
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
  }
  const server =
    tls === undefined
      ? createServer(http)
      : createTlsServer({ ...http, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: limits.headersTimeoutMs })
  server.maxRequestsPerSocket = limits.requestsPerConnection
  capConnections(server, limits.connections)
  if (tls !== undefined) endPendingHandshakes(server, context.closing)
  const problem = problemResponder([], context.options.log)
  const answer: Parameters<typeof server.on<'request'>>[1] = (incoming, outgoing) => {
    outgoing.once('close', () => {
      if (context.closing.aborted) server.closeIdleConnections()
    })
    void respond(incoming, outgoing, handler, { peer: peerOf(incoming, context), problem })
  }
  server.on('request', answer)
  server.on('checkContinue', answer)
  server.on('clientError', answerClientError)
  return server
}

function peerOf(incoming: IncomingMessage, context: ListenerContext): Peer {
  const { rawHeaders, socket } = incoming
  return {
    via: context.via,
    secure: context.tls !== undefined,
    address: socket.remoteAddress ?? '',
    localPort: context.via === 'unix' ? undefined : socket.localPort,
    target: incoming.url ?? '/',
    hosts: rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'host'),
    closing: context.closing,
  }
}
