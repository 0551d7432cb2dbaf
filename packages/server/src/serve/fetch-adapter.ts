import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { serverErrors } from '../errors.ts'
import type { Handler, Peer } from '../handler.ts'
import type { ProblemResponder } from '../problem.ts'

/** How much of an unread rest of a request is taken in after its answer, so that the client can read that answer. */
const linger = { ms: 500, bytes: 4 * 1_024 * 1_024 }

/** Answers one request of node:http through a fetch handler. Never rejects. */
export async function respond(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: Handler,
  context: { readonly peer: Peer; readonly problem: ProblemResponder },
): Promise<void> {
  const gone = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort()
    discardRest(incoming)
  })
  try {
    await send(await answer(incoming, outgoing, handler, { ...context, signal: gone.signal }), outgoing)
  } catch {
    // The client is gone, or the body's producer failed after the head was sent: only the connection can tell.
    outgoing.destroy()
  }
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: Handler,
  context: { readonly peer: Peer; readonly problem: ProblemResponder; readonly signal: AbortSignal },
): Promise<Response> {
  try {
    return await handler(toRequest(incoming, outgoing, context.signal), context.peer)
  } catch (error) {
    return context.problem(error)
  }
}

/** The URL's host is always `localhost`: what was asked for is in {@link Peer}, and the guard judges it there. */
function toRequest(incoming: IncomingMessage, outgoing: ServerResponse, signal: AbortSignal): Request {
  try {
    const headers = new Headers()
    for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
      headers.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '')
    }
    const method = incoming.method ?? 'GET'
    const bodyless = method === 'GET' || method === 'HEAD'
    const body = bodyless ? {} : { body: bodyOf(incoming, outgoing), duplex: 'half' as const }
    return withMethod(new Request(urlOf(incoming.url ?? '/'), { method: fetchable(method), headers, signal, ...body }), method)
  } catch (error) {
    throw serverErrors.error('SERVER_REQUEST_MALFORMED', {}, { cause: error })
  }
}

function urlOf(target: string): string {
  if (target.startsWith('/')) return `http://localhost${target}`
  const url = URL.parse(target)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new TypeError('not a request target')
  return `http://localhost${url.pathname}${url.search}`
}

// fetch refuses to build a TRACE or CONNECT request, yet the guard has to see one to refuse it.
const unfetchable = new Set(['CONNECT', 'TRACE', 'TRACK'])

function fetchable(method: string): string {
  return unfetchable.has(method) ? 'POST' : method
}

function withMethod(request: Request, method: string): Request {
  if (unfetchable.has(method)) Object.defineProperty(request, 'method', { value: method })
  return request
}

/** Nothing is asked of a client that waits for "100 Continue" until somebody really reads. */
function bodyOf(incoming: IncomingMessage, outgoing: ServerResponse): ReadableStream<Uint8Array<ArrayBuffer>> {
  let chunks: AsyncIterator<Buffer<ArrayBuffer>> | undefined
  return new ReadableStream(
    {
      pull: async (controller) => {
        if (chunks === undefined && incoming.headers.expect?.toLowerCase() === '100-continue') outgoing.writeContinue()
        chunks ??= incoming.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer<ArrayBuffer>>
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        await chunks?.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status
  outgoing.setHeaders(response.headers)
  outgoing.setHeader('x-content-type-options', 'nosniff')
  if (response.body === null) {
    outgoing.end()
    return
  }
  await pipeline(Readable.fromWeb(response.body), outgoing)
}

// An answer may come before the request was read to its end (a body too large). Closing at once would reset the
// connection and lose the answer; reading on for ever would let the client decide how long.
function discardRest(incoming: IncomingMessage): void {
  if (incoming.complete || incoming.destroyed) return
  let leftBytes = linger.bytes
  incoming.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length
    if (leftBytes < 0) incoming.socket.destroy()
  })
  incoming.resume()
  const timer = setTimeout(() => incoming.socket.destroy(), linger.ms).unref()
  incoming.once('close', () => clearTimeout(timer))
}
