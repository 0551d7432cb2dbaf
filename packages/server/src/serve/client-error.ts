import { ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { serverErrors } from '../errors.ts'
import { problemJson } from '../problem.ts'

/** Answers, as problem+json, what never became a request: bad syntax, too large headers, too slow. Then closes. */
export function answerClientError(error: Error, socket: Duplex): void {
  // As node itself decides: an answer that has begun cannot be followed by another.
  const current: unknown = Reflect.get(socket, '_httpMessage')
  const begun = current instanceof ServerResponse && current.headersSent
  const code = 'code' in error ? String(error.code) : ''
  // Without a handshake there is nobody to answer to.
  if (begun || !socket.writable || /^ERR_(?:SSL|TLS)_/.test(code)) {
    socket.destroy()
    return
  }
  const name =
    code === 'HPE_HEADER_OVERFLOW'
      ? 'SERVER_HEADERS_TOO_LARGE'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'SERVER_REQUEST_TIMEOUT'
        : 'SERVER_REQUEST_MALFORMED'
  const { status } = serverErrors.specs[name]
  const body = problemJson(serverErrors.error(name), serverErrors.specs[name])
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
