import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import type { z } from '@hono/zod-openapi'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { fakeInstalls } from '../fixtures/fake-installs.ts'
import type { PluginInstalls } from '../installs/plugin-installs.ts'
import { startServer, type Answered, type StartedServer, type StartOptions } from '../fixtures/start-server.ts'
import { openapiDocument } from './openapi.ts'
import { OperationList, OperationView } from './operation-definitions.ts'
import { PluginDetail } from './plugin-view.ts'

/** A server over a kernel whose `demo/slow` starts only once it is let. */
async function slowServer(
  t: TestContext,
  api: StartOptions['api'] = {},
): Promise<StartedServer & { readonly letStart: () => void }> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow = echoPlugin('demo/slow')
  const { kernel } = await demoKernel(t, { ...slow, setup: async (scope) => promise.then(() => slow.setup?.(scope)) })
  t.after(() => resolve())
  return { ...(await startServer(t, kernel, { api })), letStart: resolve }
}

function later(
  server: StartedServer,
  path: string,
  more: Readonly<Record<string, string>> = {},
  method = 'POST',
): Promise<Answered> {
  return server.tcp(path, { method, headers: { prefer: 'respond-async', ...more } })
}

async function ended(server: StartedServer, answer: Answered): Promise<z.output<typeof OperationView>> {
  assert.equal(answer.status, 202, answer.text)
  return (await server.tcp(`${answer.headers.location}?wait=60`)).as(OperationView)
}

test('who asks for it is told where to look at the change while it goes on', async (t) => {
  const server = await slowServer(t)
  const begun = await later(server, '/api/plugins/slow/reload')
  assert.deepEqual([begun.status, begun.headers['preference-applied'], begun.headers['retry-after']], [202, 'respond-async', '1'])
  const { id, status, plugin, result, ended_at } = begun.as(OperationView)
  assert.equal(begun.headers.location, `/api/operations/${id}`)
  assert.deepEqual([status, plugin, result, ended_at], ['running', 'demo/slow', null, null])
  const waiting = server.tcp(`/api/operations/${id}?wait=60`)
  server.letStart()
  const after = (await waiting).as(OperationView)
  assert.deepEqual([after.status, after.answer_status, PluginDetail.parse(after.result).state], ['succeeded', 200, 'active'])
  const { operations, count } = (await server.tcp('/api/operations')).as(OperationList)
  assert.deepEqual([operations.map((one) => one.id), count], [[id], 1])
})

test('without being asked for, a change is answered when it is done', async (t) => {
  const server = await slowServer(t)
  const answer = await server.tcp('/api/plugins/one/reload', { method: 'POST' })
  assert.deepEqual([answer.status, answer.as(PluginDetail).generation], [200, 2])
  const quick = await later(server, '/api/plugins/one/reload', { prefer: 'respond-async, wait=30' })
  assert.deepEqual([quick.status, quick.as(PluginDetail).generation], [200, 3], 'it took no longer than the caller waits')
  const slow = await later(server, '/api/plugins/slow/reload', { prefer: 'respond-async; wait=1, WAIT=0' })
  assert.equal(slow.status, 202)
  assert.equal((await later(server, '/api/plugins/one', {}, 'GET')).status, 200)
  server.letStart()
})

test('every change can be waited for elsewhere: of a version, of all plugins, a removal', async (t) => {
  const server = await slowServer(t)
  for (const path of [
    '/api/plugins/demo/one/disable',
    '/api/plugins/demo%2Fone/enable',
    '/api/plugins/one/pin',
    '/api/plugins/one/unpin',
  ]) {
    const { status, plugin, problem } = await ended(server, await later(server, path))
    assert.deepEqual([status, plugin, problem], ['succeeded', 'demo/one', null], path)
  }
  const all = await ended(server, await later(server, '/api/plugins/reload'))
  assert.deepEqual([all.status, all.plugin], ['succeeded', null])
  const removed = await ended(server, await later(server, '/api/plugins/demo/one', {}, 'DELETE'))
  assert.deepEqual([removed.status, removed.answer_status, removed.result], ['succeeded', 204, null])
  assert.equal((await server.tcp('/api/plugins/one')).status, 404)
})

test('the document offers 202 for every change that honours it, and for nothing else', async (t) => {
  const server = await slowServer(t)
  server.letStart()
  for (const [path, item] of Object.entries(openapiDocument().paths ?? {})) {
    for (const method of ['post', 'delete'] as const) {
      const operation = item[method]
      if (operation === undefined) continue
      const offered = Object.keys(operation.responses ?? {}).includes('202')
      const { status } = await later(
        server,
        path.replace('{id}', method === 'delete' ? 'one' : 'two').replace('{name}', 'x'),
        {},
        method.toUpperCase(),
      )
      assert.equal(status === 202, offered, `${method} ${path} ${status}`)
    }
  }
})

test('what goes wrong later is the problem it would have been; what is wrong at once is told at once', async (t) => {
  const server = await slowServer(t)
  const missing = await later(server, '/api/plugins/nothing/reload')
  assert.deepEqual([missing.status, missing.problem.code], [404, 'SERVER_PLUGIN_UNKNOWN'])
  assert.equal((await later(server, '/api/plugins/One/reload')).problem.code, 'SERVER_ID_INVALID')
  assert.equal((await later(server, '/api/plugins/one/explode')).status, 405)
  const stale = await ended(server, await later(server, '/api/plugins/one/reload', { 'if-match': '"old"' }))
  assert.deepEqual(
    [stale.status, stale.answer_status, stale.problem?.code, stale.result],
    ['failed', 412, 'SERVER_STATE_CHANGED', null],
  )
  const unknown = await server.tcp('/api/operations/nothing')
  assert.deepEqual([unknown.status, unknown.problem.code], [404, 'SERVER_OPERATION_UNKNOWN'])
  assert.equal((await server.tcp('/api/operations/nothing/events')).problem.code, 'SERVER_OPERATION_UNKNOWN')
  assert.equal((await server.tcp('/api/operations/x?wait=61')).problem.code, 'SERVER_REQUEST_INVALID')
})

test('a change goes on when its caller leaves, and one with the same key is the same operation', async (t) => {
  const server = await slowServer(t)
  const key = { 'idempotency-key': 'k' }
  const first = (await later(server, '/api/plugins/slow/reload', key)).as(OperationView)
  const again = await later(server, '/api/plugins/slow/reload', key)
  assert.deepEqual([again.as(OperationView).id, again.headers['idempotency-replayed']], [first.id, 'true'])
  const left = request({
    port: server.port,
    host: '127.0.0.1',
    path: `/api/operations/${first.id}?wait=60`,
    headers: { authorization: `Bearer ${server.token}` },
    agent: false,
  }).end()
  left.on('error', () => undefined)
  left.destroy()
  server.letStart()
  assert.equal((await server.tcp(`/api/operations/${first.id}?wait=60`)).as(OperationView).status, 'succeeded')
})

test('an operation can be followed to its end', async (t) => {
  const server = await slowServer(t)
  const { id } = (await later(server, '/api/plugins/slow/reload')).as(OperationView)
  const options = {
    port: server.port,
    host: '127.0.0.1',
    agent: false,
    headers: { authorization: `Bearer ${server.token}` },
  } as const
  const sent = request({ ...options, path: `/api/operations/${id}/events` }).end()
  const [stream] = (await once(sent, 'response')) as [IncomingMessage]
  stream.once('data', server.letStart)
  assert.match(
    await text(stream),
    /event: operation\ndata: \{.*"status":"running".*\n\nevent: end\ndata: \{.*"status":"succeeded"/,
  )
  const after = await server.tcp(`/api/operations/${id}/events`)
  assert.match(after.text, /^retry: 2000\n\nevent: end\n/)
})

test('operations are bounded: so many at once, and so many remembered', async (t) => {
  const server = await slowServer(t, { operations: { running: 1, ended: 2 } })
  const first = await later(server, '/api/plugins/slow/reload')
  const full = await later(server, '/api/plugins/one/reload')
  assert.deepEqual([full.status, full.problem.code, full.headers['retry-after']], [429, 'SERVER_OPERATIONS_FULL', '1'])
  server.letStart()
  await ended(server, first)
  for (let count = 0; count < 2; count++) await ended(server, await later(server, '/api/plugins/one/reload'))
  assert.equal((await server.tcp(String(first.headers.location))).problem.code, 'SERVER_OPERATION_UNKNOWN')
  assert.equal((await server.tcp('/api/operations')).as(OperationList).count, 2)
})

test('a large answer is told by its status alone', async (t) => {
  const server = await slowServer(t, { operations: { answerBytes: 100 } })
  const operation = await ended(server, await later(server, '/api/plugins/one/reload'))
  assert.deepEqual([operation.status, operation.answer_status, operation.result], ['succeeded', 200, null])
})

test('of all answers the newest are kept as far as there is room, and of the others the status', async (t) => {
  const first = await slowServer(t)
  first.letStart()
  const { result } = await ended(first, await later(first, '/api/plugins/one/reload'))
  const server = await slowServer(t, { operations: { totalBytes: JSON.stringify(result).length * 1.5 } })
  server.letStart()
  const [older, newer] = [await later(server, '/api/plugins/one/reload'), await later(server, '/api/plugins/one/reload')]
  assert.notEqual((await ended(server, newer)).result, null)
  const left = await ended(server, older)
  assert.deepEqual([left.status, left.answer_status, left.result], ['succeeded', 200, null])
})

test('what an operation is at is broken off when the server ends, so that it does not outlive it', async (t) => {
  const begun = Promise.withResolvers<AbortSignal>()
  const plan: PluginInstalls['plan'] = async (_, { signal }) => {
    begun.resolve(signal)
    await once(signal, 'abort')
    throw signal.reason
  }
  const server = await slowServer(t, { installs: fakeInstalls({ plan }) })
  const body = JSON.stringify({ changes: [{ kind: 'update' }] })
  const headers = { prefer: 'respond-async', 'content-type': 'application/json' }
  assert.equal((await server.tcp('/api/plugins/plan', { method: 'POST', headers, body })).status, 202)
  const signal = await begun.promise
  assert.equal(signal.aborted, false)
  await server.served[Symbol.asyncDispose]()
  assert.equal(signal.aborted, true)
})

test('a token that is for some plugins knows of their operations alone', async (t) => {
  const server = await slowServer(t)
  const { secret } = await server.tokens.create({ name: 'team', scope: 'operate', plugins: ['demo/two'] })
  const other = await later(server, '/api/plugins/one/disable')
  const all = await later(server, '/api/plugins/reload')
  const own = await server.as(secret, '/api/plugins/two/disable', { method: 'POST', headers: { prefer: 'respond-async' } })
  const { operations } = (await server.as(secret, '/api/operations')).as(OperationList)
  assert.deepEqual(
    operations.map(({ plugin }) => plugin),
    ['demo/two'],
  )
  assert.equal((await server.as(secret, `${own.headers.location}?wait=60`)).as(OperationView).status, 'succeeded')
  for (const { headers } of [other, all]) assert.equal((await server.as(secret, String(headers.location))).status, 404)
})

test('changes of one plugin wait in a queue that has an end, while another plugin is changed', async (t) => {
  const server = await slowServer(t)
  const queued = Array.from({ length: 16 }, () => later(server, '/api/plugins/slow/reload'))
  await Promise.all(queued)
  const full = await server.tcp('/api/plugins/slow/disable', { method: 'POST' })
  assert.deepEqual([full.status, full.problem.code, full.headers['retry-after']], [429, 'SERVER_PLUGIN_BUSY', '1'])
  assert.equal((await server.tcp('/api/plugins/one/reload', { method: 'POST' })).status, 200)
  server.letStart()
  for (const one of queued) assert.equal((await ended(server, await one)).status, 'succeeded')
  assert.equal((await server.tcp('/api/plugins/slow/disable', { method: 'POST' })).status, 200)
})
