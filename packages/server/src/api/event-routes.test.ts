import assert from 'node:assert/strict'
import { request, type ClientRequest } from 'node:http'
import { test, type TestContext } from 'node:test'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { shortEventLog } from '../fixtures/short-event-log.ts'
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

test('events arrive in order with their number, and a reader goes on where it was', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const newest = kernel.events.since(0).events.at(-1)?.seq ?? 0
  const first = await follow(t, server, '/api/events')
  await kernel.plugins.remove('demo/two')
  const event = await first.next()
  const [, id, data] = /^id: (\w+\.\d+)\nevent: plugin\.\w+\ndata: (\{.*\})$/.exec(event) ?? []
  assert.ok(id !== undefined && data !== undefined, event)
  const { seq, plugin, at } = JSON.parse(data)
  assert.deepEqual([seq, plugin, at], [newest + 1, 'demo/two', '2026-01-01T00:00:00.000Z'])
  first.request.destroy()
  await kernel.plugins.disable('demo/one')
  const again = await follow(t, server, '/api/events?since=0', { 'last-event-id': id })
  for (let next = seq + 1; next < seq + 3; next++) assert.match(await again.next(), new RegExp(`^id: \\w+\\.${next}\n`))
  const all = await follow(t, server, '/api/events?since=0')
  assert.match(await all.next(), /^id: \w+\.1\n/)
})

test('events that are no longer kept are announced as a gap', async (t) => {
  const { kernel } = await demoKernel(t)
  const events = shortEventLog(3)
  const server = await startServer(t, { ...kernel, events })
  for (let count = 0; count < 10; count++) events.record({ type: 'plugin.removed', plugin: 'demo/x', version: '1.0.0' })
  const reader = await follow(t, server, '/api/events', { 'last-event-id': '2' })
  assert.equal(await reader.next(), 'event: gap\ndata: {"from":3,"to":7}')
  assert.match(await reader.next(), /^id: \w+\.8\n/)
})

test('a reader from another life of the server is told so and gets everything kept', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  for (const id of ['abc.1', '900000']) {
    const reader = await follow(t, server, '/api/events', { 'last-event-id': id })
    assert.match(await reader.next(), /^event: restarted\ndata: {"life":"\w+"}$/)
    assert.match(await reader.next(), /^id: \w+\.1\n/)
  }
})

test('streams are counted, and a stream that ends makes room', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel, { api: { events: { streams: 1 } } })
  const only = await follow(t, server, '/api/events')
  const full = await server.unix('/api/events')
  assert.deepEqual([full.status, full.problem.code], [503, 'SERVER_STREAMS_FULL'])
  only.request.destroy()
  for (;;) {
    // The server learns of the closed connection in its own time.
    const next = await follow(t, server, '/api/events').catch(() => undefined)
    if (next !== undefined) break
  }
})

test('streams end when the server closes, and no listener stays behind', async (t) => {
  const demo = await demoKernel(t)
  const events = shortEventLog(10)
  let listening = 0
  const subscribe: typeof events.subscribe = (listener) => {
    const subscription = events.subscribe(listener)
    listening += 1
    return {
      [Symbol.dispose]: () => {
        listening -= 1
        subscription[Symbol.dispose]()
      },
    }
  }
  const kernel = { ...demo.kernel, events: { ...events, subscribe } }
  const server = await startServer(t, kernel)
  // What counts events for the metrics listens for as long as the log is there.
  const own = listening
  const readers = await Promise.all([1, 2, 3].map(() => follow(t, server, '/api/events')))
  assert.equal(listening, own + 3)
  await server.served.close()
  for (const reader of readers) await reader.ended
  assert.equal(listening, own)
  await startServer(t, kernel)
  assert.equal(listening, own, 'another server over the same kernel adds no listener that stays')
})

test('a number that is none is refused', async (t) => {
  const { kernel } = await demoKernel(t, echoPlugin('demo/more'))
  const server = await startServer(t, kernel)
  assert.equal((await server.unix('/api/events?since=x')).problem.code, 'SERVER_REQUEST_INVALID')
  assert.equal((await server.unix('/api/events', { headers: { 'last-event-id': '-1' } })).problem.code, 'SERVER_REQUEST_INVALID')
})

test('a stream is judged like every other request before it begins, and an upgrade to something else is none', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const { secret } = await server.tokens.create({ name: 'late', scope: 'read', expiresAtMs: 1 })
  const cases: [number, Readonly<Record<string, string>>][] = [
    [401, {}],
    [401, { authorization: `Bearer ${secret}` }],
    [403, { authorization: `Bearer ${server.token}`, origin: 'https://evil.example' }],
    [403, { authorization: `Bearer ${server.token}`, 'sec-fetch-site': 'cross-site' }],
    [421, { authorization: `Bearer ${server.token}`, host: 'evil.example' }],
  ]
  for (const [status, headers] of cases) {
    assert.equal((await server.bare('/api/events', { headers })).status, status, JSON.stringify(headers))
    const upgrade = { ...headers, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    assert.equal((await server.bare('/api/events', { headers: upgrade })).status, status, 'upgrade')
  }
})
