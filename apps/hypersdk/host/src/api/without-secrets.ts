import type { Handler } from '@backplane/server'
import type { Redactor } from '../secrets/redactor.ts'

/** Takes the secrets the daemon has given out, or read, out of everything a handler answers, streams too. */
export function withoutSecrets(redactor: Redactor, handler: Handler): Handler {
  return async (request, peer) => {
    const response = await handler(request, peer)
    const { body, status } = response
    if (body === null || (redactor.isEmpty && response.headers.get('content-type') !== 'text/event-stream')) return response
    const headers = new Headers(response.headers)
    headers.delete('content-length')
    if (headers.get('content-type') === 'text/event-stream') {
      return new Response(body.pipeThrough(eventCleaner(redactor)), { status, headers })
    }
    return new Response(redactor.text(await response.text()), { status, headers })
  }
}

/** An event is one piece of the stream, so no secret is cut in two. */
function eventCleaner(redactor: Redactor): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  return new TransformStream({
    transform: (piece, controller) => {
      controller.enqueue(encoder.encode(redactor.text(decoder.decode(piece, { stream: true }))))
    },
  })
}
