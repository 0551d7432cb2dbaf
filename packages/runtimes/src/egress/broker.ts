import { constants, performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { NetworkUse } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { AttachedRequests } from './attached-requests.ts'
import { addressHeader, attachedHeader, errorHeader, windowBytes } from './egress-words.ts'
import { MeteredFrames } from './metered-frames.ts'
import { EgressGate, type EgressGateOptions } from './egress-gate.ts'

/**
 * Streams a plugin may open beyond its connections, to be told that these are all. Each of them ends with its refusal, so
 * only who reads none comes to so many; HTTP/2 knows no other answer to more than it may have than the end of all.
 */
const spareStreams = 1_000
/** Memory of one plugin's session, MiB; more and it gets no new streams. */
const sessionMiB = 64
/** Connections a plugin may give up per second, and at once, before it is taken for an attack. */
const resetsPerSecond = 1_000
const resetsAtOnce = 10_000

/** A plugin's broker. Dispose it to end every connection. */
export interface Broker extends Disposable {
  readonly counts: () => NetworkUse
}

/** What a broker is made of. */
export interface BrokerOptions extends EgressGateOptions {
  /** The host's end of the plugin's descriptor. Owned by the broker from now on. */
  readonly socket: Duplex
  /** Told when the plugin spoke something else than HTTP/2; its network is gone then. */
  readonly broken: (reason: string) => void
}

/**
 * Answers one plugin's CONNECT requests. What a plugin does not read is not read from the network either, and the other way
 * round.
 */
export function serveEgress({ socket, broken, ...options }: BrokerOptions): Broker {
  const gate = new EgressGate(options)
  const attached = new AttachedRequests(gate, options)
  const { connections, headerBytes } = gate.limits
  const session = performServerHandshake(new MeteredFrames(socket, gate.limits), {
    maxSessionMemory: sessionMiB,
    streamResetRate: resetsPerSecond,
    streamResetBurst: resetsAtOnce,
    settings: {
      enablePush: false,
      maxConcurrentStreams: connections + spareStreams,
      initialWindowSize: windowBytes,
      maxHeaderListSize: headerBytes,
    },
  })
  let isOver = false
  const close = (): void => {
    gate[Symbol.dispose]()
    attached[Symbol.dispose]()
    session.destroy()
    socket.destroy()
  }
  const end = (): void => {
    isOver = true
    close()
  }
  session.on('error', (error: Error & { readonly code?: string }) => {
    // Any other error is that of a process that has ended.
    if (!isOver && error.code?.startsWith('ERR_HTTP2') === true) broken(error.message)
    end()
  })
  socket.on('error', end)
  socket.on('end', end)
  // Of what the plugin said wrong, the session tells only after its connection is closed.
  socket.on('close', close)
  session.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    void answer(stream, headers, { gate, attached }).catch((error: unknown) => refuse(stream, error))
  })
  return { counts: () => gate.counts(), [Symbol.dispose]: end }
}

interface Means {
  readonly gate: EgressGate
  readonly attached: AttachedRequests
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, { gate, attached }: Means): Promise<void> {
  if (headers[':method'] !== 'CONNECT') throw new PlatformError('EGRESS_DENIED', 'the broker only takes CONNECT')
  const authority = gate.granted(headers[':authority'] ?? '')
  if (headers[attachedHeader] !== undefined) {
    await attached.take(stream, authority)
    return
  }
  const gone = new AbortController()
  const leave = (): void => gone.abort(new DOMException('the plugin gave up', 'AbortError'))
  stream.once('close', leave)
  const upstream = await gate.connect(authority, gone.signal, (socket) => Promise.resolve(socket))
  stream.off('close', leave)
  if (stream.destroyed) return void upstream.destroy()
  stream.respond({ ':status': 200, [addressHeader]: upstream.remoteAddress ?? '' })
  tunnel(stream, upstream)
}

/** Joins both until both are done; an end that is cut off cuts the other off. */
function tunnel(stream: ServerHttp2Stream, upstream: Socket): void {
  upstream.on('error', () => stream.close(constants.NGHTTP2_CONNECT_ERROR))
  // Nobody is left for what the plugin would still say.
  upstream.on('close', () => stream.close(stream.writableEnded ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CONNECT_ERROR))
  stream.on('close', () => (upstream.readableEnded && upstream.writableFinished ? undefined : upstream.destroy()))
  upstream.pipe(stream)
  stream.pipe(upstream)
}

function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return
  const json = JSON.stringify(asJson(error))
  stream.respond({ ':status': 403, [errorHeader]: encodeURIComponent(json) }, { endStream: true })
  // The guest may be in the middle of writing what nobody will read, and may never end it. Source: RFC 9113 §8.1.
  stream.resume()
  stream.close(constants.NGHTTP2_NO_ERROR)
}

/** The system's errors keep their code, so that plugins may look at it as they do without a broker. */
function asJson(error: unknown): object {
  if (error instanceof PlatformError) return error.toJSON()
  const { code = 'ECONNRESET', message = 'the connection failed' } = error as { code?: string; message?: string }
  return { code, message }
}
