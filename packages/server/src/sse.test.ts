import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { startServer } from './fixtures/start-server.ts'
import { serverSentEvents, type ServerSentEvent } from './sse.ts'

test('events are written with their id, name and JSON, and the stream ends with its events', async () => {
  const response = serverSentEvents({ closing: new AbortController().signal }, async function* () {
    yield { id: 7, event: 'progress', data: { text: 'two\nlines' } }
    yield { data: null }
  })
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  assert.equal(await response.text(), 'retry: 2000\n\nid: 7\nevent: progress\ndata: {"text":"two\\nlines"}\n\ndata: null\n\n')
})

test('a quiet stream sends comments', async () => {
  const closing = new AbortController()
  const response = serverSentEvents({ closing: closing.signal }, quiet, { heartbeatMs: 5 })
  let seen = ''
  for await (const chunk of response.body ?? []) {
    seen += Buffer.from(chunk).toString()
    if (seen.endsWith(': beat\n\n: beat\n\n')) closing.abort()
  }
  assert.ok(seen.includes(': beat'))
})

test('a stream ends when the server closes and when the client goes, and tells its events', async () => {
  const closing = new AbortController()
  let ends = 0
  const signals: AbortSignal[] = []
  const make = (): Response =>
    serverSentEvents(
      { closing: closing.signal },
      (signal) => {
        signals.push(signal)
        return quiet(signal)
      },
      { onEnd: () => (ends += 1) },
    )
  const left = make().body?.getReader()
  await left?.read()
  await left?.cancel()
  assert.deepEqual([ends, signals[0]?.aborted], [1, true])
  const text = make().text()
  closing.abort()
  assert.equal(await text, 'retry: 2000\n\n')
  assert.equal(ends, 2)
})

test('a client that goes while an event waits for it still lets whoever makes events clear up', async () => {
  const cleared = Promise.withResolvers<void>()
  const response = serverSentEvents({ closing: new AbortController().signal }, async function* () {
    try {
      for (;;) yield { data: 1 }
    } finally {
      cleared.resolve()
    }
  })
  const reader = response.body?.getReader()
  await reader?.read()
  await reader?.read()
  await reader?.cancel()
  await cleared.promise
})

test('events that throw end the stream and tell its end', async () => {
  let ends = 0
  const failing = async function* (): AsyncGenerator<ServerSentEvent> {
    yield { data: 1 }
    throw new Error('gone')
  }
  const response = serverSentEvents({ closing: new AbortController().signal }, failing, { onEnd: () => (ends += 1) })
  await assert.rejects(response.text(), /gone/)
  assert.equal(ends, 1)
})

test('a client that does not read is dropped, and events wait for nobody', async (t) => {
  const ended = Promise.withResolvers<void>()
  let made = 0
  const server = await startServer(t, undefined, {
    handler: (_request, peer) =>
      serverSentEvents(
        peer,
        async function* () {
          for (;;) yield { id: ++made, data: 'x'.repeat(64 * 1_024) }
        },
        { stallMs: 50, onEnd: ended.resolve },
      ),
  })
  const socket = connect(server.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\n\r\n`)
  await ended.promise
  assert.ok(made < 1_000, 'no more was made than the connection took')
  socket.resume()
  await once(socket, 'close')
})

test('what was about to be said when the server closes is said, and then the stream ends', async () => {
  const closing = new AbortController()
  const response = serverSentEvents({ closing: closing.signal }, async function* (signal) {
    if (!signal.aborted) await once(signal, 'abort')
    yield { event: 'end', data: 1 }
  })
  const text = response.text()
  closing.abort()
  assert.match(await text, /event: end\ndata: 1\n\n$/)
})

test('a maker of events that does not notice that the server closes is not waited for', async () => {
  const closing = new AbortController()
  const response = serverSentEvents({ closing: closing.signal }, () => quiet(new AbortController().signal))
  const text = response.text()
  closing.abort()
  assert.equal(await text, 'retry: 2000\n\n')
})

/** No events until the signal aborts. */
function quiet(signal: AbortSignal): AsyncIterable<ServerSentEvent> {
  const over = { done: true as const, value: undefined }
  return {
    [Symbol.asyncIterator]: () => ({ next: async () => (signal.aborted ? over : once(signal, 'abort').then(() => over)) }),
  }
}
