import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PluginDetail } from '../api/plugin-view.ts'
import { changesOf, demoKernel } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { tokenDigest } from './token.ts'

test('a request for a foreign host is misdirected, whatever its token', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  for (const host of [
    'evil.example',
    'evil.example:80',
    `evil.example:${server.port}`,
    '127.0.0.1',
    `127.0.0.1.:${server.port}`,
  ]) {
    const answer = await server.tcp('/api/plugins/one', { method: 'DELETE', headers: { host } })
    assert.equal(answer.status, 421, host)
    assert.equal(answer.problem.code, 'SERVER_HOST_REFUSED')
  }
  assert.equal((await server.unix('/healthz', { headers: { host: 'evil.example' } })).status, 421)
  assert.deepEqual(changesOf(kernel), [])
})

test('own names and the allowed ones are answered', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel, { guard: { hosts: ['Daemon.example:8443'] } })
  const { port } = server
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, 'daemon.example:8443']) {
    assert.equal((await server.tcp('/api/plugins', { headers: { host } })).status, 200, host)
  }
})

test('two hosts, no host or another host in the target are misdirected', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const own = `127.0.0.1:${server.port}`
  const authorization = `Authorization: Bearer ${server.token}\r\nConnection: close\r\n\r\n`
  const two = await server.raw(`GET /api/plugins HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\n${authorization}`)
  assert.match(two, /^HTTP\/1\.1 421 /)
  const twice = await server.raw(`GET /api/plugins HTTP/1.1\r\nHost: ${own}\r\nHost: ${own}\r\n${authorization}`)
  assert.match(twice, /^HTTP\/1\.1 421 /)
  const none = await server.raw(`GET /api/plugins HTTP/1.0\r\n${authorization}`)
  assert.match(none, /^HTTP\/1\.1 421 /)
  const other = await server.raw(`GET http://evil.example/api/plugins HTTP/1.1\r\nHost: ${own}\r\n${authorization}`)
  assert.match(other, /^HTTP\/1\.1 421 /)
  const odd = await server.raw(`GET ftp://${own}/api/plugins HTTP/1.1\r\nHost: ${own}\r\n${authorization}`)
  assert.match(odd, /^HTTP\/1\.1 400 /)
  const star = await server.raw(`OPTIONS * HTTP/1.1\r\nHost: ${own}\r\n${authorization}`)
  assert.match(star, /^HTTP\/1\.1 4\d\d /)
  const same = await server.raw(`GET http://${own}/api/plugins HTTP/1.1\r\nHost: ${own}\r\n${authorization}`)
  assert.match(same, /^HTTP\/1\.1 200 /)
})

test('a page of another origin changes nothing', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel, { guard: { origins: ['https://console.example'] } })
  const remove = (headers: Record<string, string>): ReturnType<typeof server.tcp> =>
    server.tcp('/api/plugins/one', { method: 'DELETE', headers })
  for (const origin of [
    'https://evil.example',
    'null',
    `http://127.0.0.1:${server.port + 1}`,
    `https://127.0.0.1:${server.port}`,
  ]) {
    const answer = await remove({ origin })
    assert.equal(answer.status, 403, origin)
    assert.equal(answer.problem.code, 'SERVER_ORIGIN_REFUSED')
  }
  assert.equal((await remove({ 'sec-fetch-site': 'cross-site' })).status, 403)
  assert.equal((await remove({ 'sec-fetch-site': 'same-site' })).status, 403)
  assert.deepEqual(changesOf(kernel), [])
  const own = { origin: `http://127.0.0.1:${server.port}`, 'sec-fetch-site': 'same-origin' }
  assert.equal((await server.tcp('/api/plugins', { headers: own })).status, 200)
  const allowed = { origin: 'https://console.example', 'sec-fetch-site': 'cross-site' }
  assert.equal((await server.tcp('/api/plugins', { headers: allowed })).status, 200)
})

test('over TCP a token is required, over the unix socket none', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const missing = await server.bare('/api/plugins')
  assert.deepEqual([missing.status, missing.problem.code], [401, 'SERVER_TOKEN_MISSING'])
  assert.equal(missing.headers['www-authenticate'], 'Bearer')
  for (const authorization of ['Bearer wrong', `Basic ${server.token}`, `Bearer ${server.token}x`, 'Bearer ']) {
    const wrong = await server.bare('/api/plugins', { headers: { authorization } })
    assert.deepEqual([wrong.status, wrong.problem.code], [401, 'SERVER_TOKEN_REFUSED'], authorization)
  }
  assert.equal((await server.tcp('/api/plugins')).status, 200)
  assert.equal((await server.unix('/api/plugins')).status, 200)
  assert.equal((await server.bare('/healthz')).status, 200)
  assert.equal((await server.bare('/metrics')).status, 401)
})

test('wrong tokens are slowed down, a right one is never held up', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel, { guard: { failuresPerMinute: 3 } })
  const wrong = (): ReturnType<typeof server.bare> => server.bare('/api/plugins', { headers: { authorization: 'Bearer guess' } })
  for (let count = 0; count < 3; count++) assert.equal((await wrong()).status, 401)
  const limited = await wrong()
  assert.deepEqual([limited.status, limited.problem.code, limited.problem.retryable], [429, 'SERVER_TOKEN_RATE_LIMITED', true])
  assert.ok(Number(limited.headers['retry-after']) > 0)
  assert.equal((await server.tcp('/api/plugins')).status, 200)
})

test('a token of a smaller scope may not do more', async (t) => {
  const { kernel } = await demoKernel(t)
  const tokens = [
    { name: 'reader', sha256: tokenDigest('r'.repeat(43)), scope: 'read' as const },
    { name: 'operator', sha256: tokenDigest('o'.repeat(43)), scope: 'operate' as const },
  ]
  const server = await startServer(t, kernel, { guard: { tokens } })
  const as = (letter: string, method: string, path: string): ReturnType<typeof server.bare> =>
    server.bare(path, { method, headers: { authorization: `Bearer ${letter.repeat(43)}` } })
  assert.equal((await as('r', 'GET', '/api/plugins')).status, 200)
  const refused = await as('o', 'DELETE', '/api/plugins/one')
  assert.deepEqual([refused.status, refused.problem.code], [403, 'SERVER_SCOPE_REFUSED'])
  assert.equal((await as('r', 'POST', '/jobs/submit')).status, 403)
  assert.equal((await as('r', 'PUT', '/api/plugins/one/disable')).status, 403)
  assert.deepEqual(changesOf(kernel), [])
})

test('methods off the list never reach a route', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  for (const method of ['TRACE', 'OPTIONS', 'PATCH', 'PROPFIND']) {
    const answer = await server.tcp('/api/plugins', { method })
    assert.deepEqual([answer.status, answer.problem.code], [405, 'SERVER_METHOD_REFUSED'], method)
    assert.equal(answer.headers.allow, 'GET, HEAD, POST, PUT, DELETE')
  }
  const overridden = await server.tcp('/api/plugins/one', { headers: { 'x-http-method-override': 'DELETE' } })
  assert.equal(overridden.as(PluginDetail).id, 'demo/one')
})

test('a path that cannot be decoded or leads elsewhere is refused, and the server lives', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  for (const id of ['%', '%zz', '%c3%28', '%00', 'one%00', '%0d%0a']) {
    const answer = await server.tcp(`/api/plugins/${id}`)
    assert.deepEqual([answer.status, answer.problem.code], [400, 'SERVER_PATH_INVALID'], id)
  }
  for (const id of [
    '..%2f..%2fetc%2fpasswd',
    '..%2fetc',
    '__proto__',
    'One',
    '-one',
    'a%2Fb%2Fc',
    'x'.repeat(10_000),
    'a%252Fb',
    '%20',
  ]) {
    const answer = await server.tcp(`/api/plugins/${id}`)
    assert.deepEqual([answer.status, answer.problem.code], [400, 'SERVER_ID_INVALID'], id.slice(0, 40))
  }
  for (const id of ['constructor', 'nothing', 'demo/nothing', 'demo%2fnothing']) {
    const answer = await server.tcp(`/api/plugins/${id}`)
    assert.deepEqual([answer.status, answer.problem.code], [404, 'SERVER_PLUGIN_UNKNOWN'], id)
  }
  assert.equal((await server.tcp('/api\\plugins')).problem.code, 'SERVER_PATH_INVALID')
  for (const target of ['/api/plugins/../../etc/passwd', '//evil.example/api', '/api/plugins/./x/../..']) {
    assert.equal((await server.tcp(target)).status, 404, target)
  }
  assert.equal((await server.tcp('/api/plugins/one')).status, 200)
})

test('what a handler throws is answered without its text, and told to the log', async (t) => {
  const canary = 'canary-5e1f'
  const server = await startServer(t, undefined, {
    handler: () => {
      throw new Error(`cannot open /etc/shadow with ${canary}`)
    },
  })
  const answer = await server.tcp('/api/plugins')
  assert.deepEqual([answer.status, answer.problem.code], [500, 'SERVER_INTERNAL'])
  assert.doesNotMatch(answer.text, /canary|shadow|node:|at /)
  assert.ok(server.log.some((line) => line.fields?.['instance'] === answer.problem.instance))
})

test('the token is in no answer and in no log line', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const texts: string[] = []
  const headers = { authorization: `Bearer ${server.token}` }
  for (const path of ['/api/plugins', '/api/plugins/one', '/metrics', '/nothing', '/api/plugins/%zz', '/openapi.json']) {
    texts.push((await server.tcp(path)).text, (await server.bare(path, { headers: { ...headers, host: 'evil' } })).text)
  }
  texts.push(
    (await server.tcp('/x', { method: 'POST', body: server.token, headers: { 'content-type': 'application/json' } })).text,
  )
  texts.push(JSON.stringify(server.log))
  for (const text of texts) assert.ok(!text.includes(server.token))
})
