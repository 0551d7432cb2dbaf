import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, demoKernel } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'

const origin = 'https://console.example'
const preflight = {
  'access-control-request-method': 'DELETE',
  'access-control-request-headers': 'authorization',
  'sec-fetch-site': 'cross-site',
}

test('a preflight of an allowed origin is answered without a token, one of another is not', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel, { guard: { origins: [origin] } })
  const asked = await server.bare('/api/plugins/one', { method: 'OPTIONS', headers: { ...preflight, origin } })
  assert.deepEqual([asked.status, asked.text], [204, ''])
  assert.equal(asked.headers['access-control-allow-origin'], origin)
  assert.match(String(asked.headers['access-control-allow-methods']), /DELETE/)
  assert.match(String(asked.headers['access-control-allow-headers']), /Authorization.*If-Match/)
  assert.equal(asked.headers['access-control-allow-credentials'], undefined)
  assert.equal(asked.headers.vary, 'Origin')
  for (const other of [
    'https://evil.example',
    'null',
    `${origin}.evil.example`,
    'https://console.example:444',
    'HTTPS://console.example',
  ]) {
    const refused = await server.bare('/api/plugins/one', { method: 'OPTIONS', headers: { ...preflight, origin: other } })
    assert.deepEqual([refused.status, refused.problem.code], [403, 'SERVER_ORIGIN_REFUSED'], other)
    assert.equal(refused.headers['access-control-allow-origin'], undefined)
  }
  assert.equal((await server.bare('/api/plugins/one', { method: 'OPTIONS', headers: { origin } })).status, 401, 'no preflight')
  assert.deepEqual(changesOf(kernel), [])
})

test('by default no origin is allowed', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const answer = await server.bare('/api/plugins', { method: 'OPTIONS', headers: { ...preflight, origin } })
  assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [403, undefined])
})

test('a page of an allowed origin still needs a token, and may read answers and errors alike', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel, { guard: { origins: [origin] } })
  const headers = { origin, 'sec-fetch-site': 'cross-site' }
  const without = await server.bare('/api/plugins', { headers })
  assert.deepEqual([without.status, without.headers['access-control-allow-origin']], [401, origin])
  const answer = await server.tcp('/api/plugins/one', { headers })
  assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [200, origin])
  assert.match(String(answer.headers['access-control-expose-headers']), /ETag/)
  assert.notEqual(answer.headers.etag, undefined)
  const programs = await server.tcp('/api/plugins/one')
  assert.equal(programs.headers['access-control-allow-origin'], undefined)
})
