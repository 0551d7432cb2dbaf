import type { Handler } from '@backplane/server'
import type { Redactor } from '../secrets/redactor.ts'

/** Takes the secrets the daemon has given out, or read, out of everything a handler answers, streams too. */
export function withoutSecrets(redactor: Redactor, handler: Handler): Handler {
  return async (request, peer) => {
    const response = await handler(request, peer)
    const { body, status } = response
    const type = response.headers.get('content-type')
    if (body === null || (redactor.isEmpty && type !== 'text/event-stream')) return response
    // Packages, which digests are of: read as a text they would be others.
    if (type === 'application/gzip') return response
    const headers = new Headers(response.headers)
    headers.delete('content-length')
    if (type === 'text/event-stream') {
      return new Response(body.pipeThrough(eventCleaner(redactor)), { status, headers })
    }
    // A file may be larger than a text can be.
    if (headers.has('content-disposition')) return new Response(body.pipeThrough(fileCleaner(redactor)), { status, headers })
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

/** Cleans a file of text piece by piece; so much of the end is held back that no secret is cut in two. */
export function fileCleaner(redactor: Redactor): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let held = ''
  return new TransformStream({
    transform: (piece, controller) => {
      const text = redactor.text(held + decoder.decode(piece, { stream: true }))
      const end = Math.max(0, text.length - Math.max(0, redactor.longest - 1))
      held = text.slice(end)
      if (end > 0) controller.enqueue(encoder.encode(text.slice(0, end)))
    },
    flush: (controller) => {
      const rest = redactor.text(held + decoder.decode())
      if (rest !== '') controller.enqueue(encoder.encode(rest))
    },
  })
}
