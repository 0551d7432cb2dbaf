import type { ClientHttp2Stream } from 'node:http2'
import { Socket } from 'node:net'
import { addressHeader } from '../egress-words.ts'
import { refusal } from './broker-link.ts'

/** The parts of a socket that Node keeps to itself and its own streams. */
interface Inner {
  connecting: boolean
  _read: (size: number) => void
  _write: (chunk: Chunk, encoding: BufferEncoding, done: Done) => void
  _writev: (chunks: readonly { chunk: Chunk; encoding: BufferEncoding }[], done: Done) => void
  _final: (done: Done) => void
  _destroy: (error: Error | null, done: Done) => void
  _unrefTimer: () => void
  _undestroy: () => void
}

type Chunk = Uint8Array | string
type Done = (error?: Error | null) => void

/**
 * Connects a socket that has no handle of the system's: what it reads and writes is a stream of the broker's. It stays the
 * object its owner made, with the events, timeouts and back-pressure of any other.
 */
export function connectThrough(socket: Socket, openStream: () => ClientHttp2Stream, port: number): void {
  const inner = socket as unknown as Inner
  if (socket.destroyed) inner._undestroy()
  inner.connecting = true
  inner._unrefTimer()
  let stream: ClientHttp2Stream
  try {
    stream = openStream()
  } catch (error) {
    socket.destroy(error as Error)
    return
  }
  replaceInner(socket, inner, stream)
  carry(socket, inner, stream)
  stream.once('response', (headers) => {
    const error = refusal(headers)
    if (error !== undefined) return void socket.destroy(error)
    if (socket.destroyed) return
    describe(socket, String(headers[addressHeader] ?? ''), port)
    inner.connecting = false
    inner._unrefTimer()
    socket.emit('connect')
    socket.emit('ready')
  })
}

function replaceInner(socket: Socket, inner: Inner, stream: ClientHttp2Stream): void {
  const whenConnected = (run: () => void): void => void (inner.connecting ? socket.once('connect', run) : run())
  inner._read = () => whenConnected(() => stream.resume())
  inner._write = (chunk, encoding, done) =>
    whenConnected(() => {
      inner._unrefTimer()
      stream.write(bytesOf(chunk, encoding), done)
    })
  inner._writev = (chunks, done) =>
    whenConnected(() => {
      inner._unrefTimer()
      const last = chunks.length - 1
      stream.cork()
      for (const [at, { chunk, encoding }] of chunks.entries())
        stream.write(bytesOf(chunk, encoding), at === last ? done : undefined)
      stream.uncork()
    })
  inner._final = (done) => whenConnected(() => stream.end(() => done()))
  inner._destroy = (error, done) => {
    // What both sides are done with ends by itself.
    if (!(stream.readableEnded && stream.writableFinished)) stream.close(cancelled)
    Socket.prototype._destroy.call(socket, error, done)
  }
  socket.ref = () => socket
  socket.unref = () => socket
  Object.defineProperty(socket, 'pending', { configurable: true, get: () => inner.connecting })
}

/** HTTP/2 streams take several texts at once for what is in memory beside them (Node 26.10), so they get none. */
function bytesOf(chunk: Chunk, encoding: BufferEncoding): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

/** What the stream brings goes to the socket; its end is the socket's. */
function carry(socket: Socket, inner: Inner, stream: ClientHttp2Stream): void {
  stream.on('data', (chunk: Buffer) => {
    inner._unrefTimer()
    if (!socket.push(chunk)) stream.pause()
  })
  stream.pause()
  stream.once('end', () => {
    if (!socket.destroyed && !inner.connecting) socket.push(null)
  })
  stream.on('error', () => undefined)
  stream.once('close', () => {
    if (socket.destroyed || (stream.readableEnded && stream.rstCode === 0)) return
    socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }))
  })
}

function describe(socket: Socket, address: string, port: number): void {
  const family = address.includes(':') ? 'IPv6' : 'IPv4'
  const shown = { remoteAddress: address, remotePort: port, remoteFamily: family }
  for (const [name, value] of Object.entries(shown)) Object.defineProperty(socket, name, { configurable: true, value })
}

/** HTTP/2's CANCEL. Source: RFC 9113 §7. */
const cancelled = 8
