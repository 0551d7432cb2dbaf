import assert from 'node:assert/strict'
import { request, type ClientRequest } from 'node:http'
import { test, type TestContext } from 'node:test'
import { sampleKernel } from '../fixtures/sample-kernel.ts'
import { startServer, type StartedServer } from '../fixtures/start-server.ts'

interface Reader {
  /** The next block of the stream, without comments and `retry`. */
  readonly next: () => Promise<string>
  readonly ended: Promise<void>
  readonly request: ClientRequest
}

async function follow(
  t: TestContext,
  server: StartedServer,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reader> {
  const sent = request({ socketPath: server.socket, path, headers: { host: 'localhost', ...headers }, agent: false }).end()
  t.after(() => sent.destroy())
  const blocks: string[] = []
  let arrived = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  sent.on('error', begun.reject)
  sent.on('close', () => begun.reject(new Error('closed')))
  sent.on('response', (incoming) => {
    if (incoming.statusCode !== 200) begun.reject(new Error(String(incoming.statusCode)))
    let rest = ''
    incoming.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n\n')
      rest = parts.pop() ?? ''
      blocks.push(...parts.filter((part) => !/^(:|retry)/.test(part)))
      arrived.resolve()
      begun.resolve()
    })
    incoming.on('end', ended.resolve)
    incoming.on('error', () => ended.resolve())
  })
  await begun.promise
  return {
    request: sent,
    ended: ended.promise,
    next: async () => {
      while (blocks.length === 0) {
        arrived = Promise.withResolvers<void>()
        await arrived.promise
      }
      return blocks.shift() ?? ''
    },
  }
}

const removed = (plugin: string) => ({ type: 'plugin.removed', plugin, version: '1.0.0' }) as const

test('events arrive in order with their number, and a reader goes on where it was', async (t) => {
  const sample = sampleKernel()
  const server = await startServer(t, sample.kernel)
  sample.emit(removed('demo/before'))
  const first = await follow(t, server, '/api/events')
  sample.emit(removed('demo/one'))
  const event = await first.next()
  const id = /^id: (\w+\.2)\n/.exec(event)?.[1]
  assert.ok(id)
  assert.equal(
    event,
    `id: ${id}\nevent: plugin.removed\ndata: {"seq":2,"at":"2026-02-03T00:00:00.000Z","type":"plugin.removed","plugin":"demo/one","version":"1.0.0"}`,
  )
  first.request.destroy()
  sample.emit(removed('demo/two'))
  sample.emit(removed('demo/three'))
  const again = await follow(t, server, '/api/events?since=0', { 'last-event-id': id })
  assert.match(await again.next(), /^id: \w+\.3\n/)
  assert.match(await again.next(), /^id: \w+\.4\n/)
  const all = await follow(t, server, '/api/events?since=0')
  assert.match(await all.next(), /demo\/before/)
})

test('events that are no longer kept are announced as a gap', async (t) => {
  const sample = sampleKernel(3)
  const server = await startServer(t, sample.kernel)
  for (let count = 0; count < 10; count++) sample.emit(removed(`demo/p${count}`))
  const reader = await follow(t, server, '/api/events', { 'last-event-id': '2' })
  assert.equal(await reader.next(), 'event: gap\ndata: {"from":3,"to":7}')
  assert.match(await reader.next(), /^id: \w+\.8\n/)
})

test('a reader from another life of the server is told so and gets everything kept', async (t) => {
  const sample = sampleKernel()
  const server = await startServer(t, sample.kernel)
  sample.emit(removed('demo/one'))
  for (const id of ['abc.1', '900']) {
    const reader = await follow(t, server, '/api/events', { 'last-event-id': id })
    assert.match(await reader.next(), /^event: restarted\ndata: {"life":"\w+"}$/)
    assert.match(await reader.next(), /^id: \w+\.1\n/)
  }
})

test('streams are counted, and a stream that ends makes room', async (t) => {
  const sample = sampleKernel()
  const server = await startServer(t, sample.kernel, { api: { events: { streams: 1 } } })
  const only = await follow(t, server, '/api/events')
  const full = await server.unix('/api/events')
  assert.deepEqual([full.status, full.json.code], [503, 'SERVER_STREAMS_FULL'])
  only.request.destroy()
  for (;;) {
    // The server learns of the closed connection in its own time.
    const next = await follow(t, server, '/api/events').catch(() => undefined)
    if (next !== undefined) break
  }
})

test('streams end when the server closes', async (t) => {
  const server = await startServer(t, sampleKernel().kernel)
  const reader = await follow(t, server, '/api/events')
  await server.served.close()
  await reader.ended
})

test('a number that is none is refused', async (t) => {
  const server = await startServer(t, sampleKernel().kernel)
  assert.equal((await server.unix('/api/events?since=x')).json.code, 'SERVER_REQUEST_INVALID')
  assert.equal((await server.unix('/api/events', { headers: { 'last-event-id': '-1' } })).json.code, 'SERVER_REQUEST_INVALID')
})
