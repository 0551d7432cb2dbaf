import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import type { z } from '@hono/zod-openapi'
import { changesOf, demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { startServer, type Answered, type StartedServer } from '../fixtures/start-server.ts'
import { PluginList, PluginStats } from './routes.ts'
import { NewToken, TokenList } from './token-definitions.ts'

const headers = { 'content-type': 'application/json' }

function create(server: StartedServer, wanted: object, more: Readonly<Record<string, string>> = {}): Promise<Answered> {
  return server.tcp('/api/tokens', { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(wanted) })
}

async function made(server: StartedServer, wanted: object): Promise<z.output<typeof NewToken>> {
  const answer = await create(server, wanted)
  assert.equal(answer.status, 201, answer.text)
  return answer.as(NewToken)
}

test('a token is shown once, kept as its digest, works at once, and is refused once it is revoked', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const { token, name, scope, plugins, expires_at, expired } = await made(server, { name: 'grafana', scope: 'read' })
  assert.deepEqual([name, scope, plugins, expires_at, expired], ['grafana', 'read', null, null, false])
  assert.equal(Buffer.from(token, 'base64url').length, 32)
  assert.equal((await server.as(token, '/api/plugins')).status, 200)
  assert.equal((await server.as(token, '/api/plugins/one/disable', { method: 'POST' })).problem.code, 'SERVER_SCOPE_REFUSED')
  const listed = await server.tcp('/api/tokens')
  assert.deepEqual(
    listed.as(TokenList).tokens.map((one) => [one.name, one.scope]),
    [['grafana', 'read']],
  )
  const file = join(server.directory, 'tokens.json')
  const kept = await readFile(file, 'utf8')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  for (const shown of [listed.text, kept, JSON.stringify(server.log)]) assert.ok(!shown.includes(token))
  assert.ok(server.log.some(({ message, fields }) => message === 'a token was made' && fields?.['by'] === 'token file'))
  assert.equal((await server.tcp('/api/tokens/grafana', { method: 'DELETE' })).status, 204)
  assert.equal((await server.as(token, '/api/plugins')).problem.code, 'SERVER_TOKEN_REFUSED')
  assert.ok(!(await readFile(file, 'utf8')).includes('grafana'))
  const again = await server.tcp('/api/tokens/grafana', { method: 'DELETE' })
  assert.deepEqual([again.status, again.problem.code], [404, 'SERVER_TOKEN_UNKNOWN'])
})

test('a secret is never given out twice, not even to a repeated request', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const key = { 'idempotency-key': 'once' }
  const first = await create(server, { name: 'ci', scope: 'operate' }, key)
  const second = await create(server, { name: 'ci', scope: 'operate' }, key)
  assert.equal(first.headers['cache-control'], 'no-store')
  assert.deepEqual([first.status, second.status, second.problem.code], [201, 409, 'SERVER_TOKEN_EXISTS'])
})

test('a token that has expired is refused, and one that would have is not made', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const past = await create(server, { name: 'late', scope: 'read', expires_at: '2020-01-01T00:00:00Z' })
  assert.deepEqual([past.status, past.problem.code], [400, 'SERVER_REQUEST_INVALID'])
  const { token, expires_at } = await made(server, { name: 'short', scope: 'read', expires_at: '2100-01-01T01:00:00+01:00' })
  assert.equal(expires_at, '2100-01-01T00:00:00.000Z')
  assert.equal((await server.as(token, '/api/plugins')).status, 200)
  t.mock.method(Date, 'now', () => Date.parse('2100-01-01T00:00:00Z'))
  const answer = await server.as(token, '/api/plugins')
  assert.deepEqual([answer.status, answer.problem.code], [401, 'SERVER_TOKEN_EXPIRED'])
  assert.equal((await server.tcp('/api/tokens')).as(TokenList).tokens[0]?.expired, true)
})

test('names, scopes, filters and times that are none are refused', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  for (const wanted of [
    { name: 'Upper', scope: 'read' },
    { name: '../../etc', scope: 'read' },
    { name: 'x', scope: 'root' },
    { name: 'x' },
    { name: 'x', scope: 'read', plugins: [] },
    { name: 'x', scope: 'read', plugins: ['*'] },
    { name: 'x', scope: 'read', plugins: ['acme/../etc'] },
    { name: 'x', scope: 'read', expires_at: 'tomorrow' },
    { name: 'x', scope: 'read', secret: 'mine' },
  ]) {
    const answer = await create(server, wanted)
    assert.deepEqual([answer.status, answer.problem.code], [400, 'SERVER_REQUEST_INVALID'], JSON.stringify(wanted))
  }
  assert.equal((await server.tcp('/api/tokens')).as(TokenList).count, 0)
})

test('a token that is for some plugins sees and changes no others, and nothing of the whole host', async (t) => {
  const { kernel } = await demoKernel(t, echoPlugin('other/four'))
  const server = await startServer(t, kernel)
  const { token } = await made(server, { name: 'team', scope: 'admin', plugins: ['demo/two', 'other/*'] })
  const as = (path: string, method = 'GET', more: Readonly<Record<string, string>> = {}): Promise<Answered> =>
    server.as(token, path, { method, headers: more })
  const list = (await as('/api/plugins')).as(PluginList)
  assert.deepEqual([list.plugins.map(({ id }) => id), list.count], [['demo/two', 'other/four'], 2])
  assert.equal((await as('/api/plugins/stats')).as(PluginStats).total, 2)
  assert.deepEqual(
    (await as('/api/plugins/search?q=echo'))
      .as(PluginList.pick({ plugins: true }))
      .plugins.map(({ id }) => id)
      .toSorted(),
    ['demo/two', 'other/four'],
  )
  assert.equal((await as('/api/top')).text.includes('demo/one'), false)
  for (const [method, path] of [
    ['GET', '/api/plugins/demo/one'],
    ['GET', '/api/plugins/one/why'],
    ['GET', '/api/plugins/one/history'],
    ['GET', '/api/plugins/one/usage'],
    ['POST', '/api/plugins/one/disable'],
    ['POST', '/api/plugins/one/profile'],
    ['POST', '/api/plugins/one/reload'],
    ['POST', '/api/plugins/one/rollback'],
    ['POST', '/api/plugins/one/pin'],
    ['DELETE', '/api/plugins/demo%2Fone'],
  ] as const) {
    const answer = await as(path, method)
    assert.deepEqual([answer.status, answer.problem.code], [404, 'SERVER_PLUGIN_UNKNOWN'], path)
    assert.ok(!answer.problem.detail.includes('did you mean `demo/one'), path)
    const later = await as(path, method, { prefer: 'respond-async' })
    assert.equal(later.status, 404, `${path}, later`)
  }
  for (const [method, path] of [
    ['POST', '/api/plugins/reload'],
    ['GET', '/metrics'],
    ['GET', '/api/system'],
    ['GET', '/api/tokens'],
    ['POST', '/api/tokens'],
    ['DELETE', '/api/tokens/team'],
  ] as const) {
    const answer = await as(path, method)
    assert.deepEqual([answer.status, answer.problem.code], [403, 'SERVER_PLUGINS_REFUSED'], path)
  }
  assert.deepEqual(changesOf(kernel), [])
  assert.equal((await as('/api/plugins/two/disable', 'POST')).status, 200)
  assert.equal((await as('/api/plugins/four/disable', 'POST')).status, 200)
})

test('a filtered token gets the events of its plugins alone, and its stream ends when it is revoked', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const { token } = await made(server, { name: 'team', scope: 'read', plugins: ['demo/two'] })
  const sent = request({
    port: server.port,
    host: '127.0.0.1',
    path: '/api/events?since=0',
    headers: { authorization: `Bearer ${token}` },
    agent: false,
  }).end()
  const [stream] = (await once(sent, 'response')) as [IncomingMessage]
  await kernel.plugins.disable('demo/one')
  await kernel.plugins.disable('demo/two')
  let seen = ''
  for await (const piece of stream) {
    seen += String(piece)
    if (seen.includes('"to":"disabled"')) break
  }
  assert.ok(seen.includes('demo/two') && !seen.includes('demo/one'), seen)

  const other = request({
    port: server.port,
    host: '127.0.0.1',
    path: '/api/events',
    headers: { authorization: `Bearer ${token}` },
    agent: false,
  }).end()
  const [open] = (await once(other, 'response')) as [IncomingMessage]
  const ended = text(open)
  await server.tcp('/api/tokens/team', { method: 'DELETE' })
  assert.match(await ended, /^retry: /)
})

test('a stream ends when the token that opened it expires', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const { secret } = await server.tokens.create({ name: 'short', scope: 'read', expiresAtMs: Date.now() + 2_000 })
  const { text: seen, status } = await server.as(secret, '/api/events')
  assert.deepEqual([status, seen.startsWith('retry: ')], [200, true])
  assert.equal((await server.as(secret, '/api/events')).problem.code, 'SERVER_TOKEN_EXPIRED')
})

test('a name that is none is refused before it is looked for, however long', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  for (const name of ['x'.repeat(10_000), 'A', 'a%20b', '%2e%2e%2fx']) {
    const answer = await server.tcp(`/api/tokens/${name}`, { method: 'DELETE' })
    assert.deepEqual([answer.status, answer.problem.code], [400, 'SERVER_REQUEST_INVALID'], name.slice(0, 9))
  }
})

test('an answer kept for a repetition is given to nobody else', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const { token } = await made(server, { name: 'ci', scope: 'operate' })
  const sent = { method: 'POST', headers: { 'idempotency-key': 'k' } }
  assert.equal((await server.tcp('/api/plugins/one/disable', sent)).status, 200)
  const other = await server.as(token, '/api/plugins/one/disable', sent)
  assert.deepEqual([other.status, other.headers['idempotency-replayed']], [200, undefined])
  assert.equal((await server.as(token, '/api/plugins/two/disable', sent)).problem.code, 'SERVER_IDEMPOTENCY_MISMATCH')
})
