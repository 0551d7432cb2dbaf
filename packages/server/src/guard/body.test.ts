import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, demoKernel } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'

test('a body must be JSON by its type', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const body = '{"reason":"csrf"}'
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/yaml',
    '',
  ]) {
    const answer = await server.tcp('/api/plugins/one/disable', { method: 'POST', headers: { 'content-type': type }, body })
    assert.deepEqual([answer.status, answer.problem.code], [415, 'SERVER_BODY_TYPE_REFUSED'], type)
  }
  assert.deepEqual(changesOf(kernel), [])
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  assert.equal((await server.tcp('/api/plugins/one/disable', { method: 'POST', headers, body })).status, 200)
})

test('a body that is announced and empty is none: enough where none is needed, else told as what is missing', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const empty = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '' }
  assert.equal((await server.tcp('/api/plugins/one/disable', empty)).status, 200)
  const needed = await server.tcp('/api/tokens', empty)
  assert.deepEqual([needed.status, needed.problem.code], [400, 'SERVER_REQUEST_INVALID'], needed.text)
})

test('a path may take other types, and only that path', async (t) => {
  const server = await startServer(t, undefined, {
    guard: { bodyTypes: { '/jobs/submit': ['application/yaml'] } },
    handler: async (request) => new Response(await request.text()),
  })
  const sent = { method: 'POST', headers: { 'content-type': 'application/yaml' }, body: 'name: a\n' }
  assert.equal((await server.tcp('/jobs/submit', sent)).text, 'name: a\n')
  assert.equal((await server.tcp('/jobs/cancel', sent)).status, 415)
})

test('a body that two readers could read differently is refused', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const codes: [string, string][] = [
    ['{"reason":"a","reason":"b"}', 'SERVER_BODY_KEY_REFUSED'],
    [String.raw`{"reason":"a","re\u0061son":"b"}`, 'SERVER_BODY_KEY_REFUSED'],
    ['{"__proto__":{"admin":true}}', 'SERVER_BODY_KEY_REFUSED'],
    [String.raw`{"a":[{"\u005f_proto__":1}]}`, 'SERVER_BODY_KEY_REFUSED'],
    ['{"constructor":{"prototype":{}}}', 'SERVER_BODY_KEY_REFUSED'],
    [`${'['.repeat(33)}${']'.repeat(33)}`, 'SERVER_BODY_TOO_DEEP'],
    ['['.repeat(45_000), 'SERVER_BODY_TOO_DEEP'],
    ['{"reason":', 'SERVER_BODY_INVALID'],
    ['{"reason":NaN}', 'SERVER_BODY_INVALID'],
  ]
  for (const [body, code] of codes) {
    const answer = await post(body)
    assert.deepEqual([answer.status, answer.problem.code], [400, code], body.slice(0, 60))
  }
  assert.equal((await post(new Uint8Array([0x22, 0xff, 0x22]))).problem.code, 'SERVER_BODY_INVALID')
  assert.deepEqual(changesOf(kernel), [])
  assert.equal((await post('{"reason":"say \\"{[:\\" twice"}')).status, 200)

  function post(body: string | Uint8Array): ReturnType<typeof server.tcp> {
    const headers = { 'content-type': 'application/json' }
    return server.tcp('/api/plugins/one/disable', { method: 'POST', headers, body })
  }
})

test('a body has a size, and none is unpacked', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel, { guard: { limits: { bytes: 1_000 } } })
  const headers = { 'content-type': 'application/json' }
  const large = await server.tcp('/api/plugins/one/disable', { method: 'POST', headers, body: `"${'x'.repeat(1_000)}"` })
  assert.deepEqual([large.status, large.problem.code], [413, 'SERVER_BODY_TOO_LARGE'])
  const chunked = await server.raw(
    `POST /api/plugins/one/disable HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\n` +
      `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n` +
      `3ff\r\n${' '.repeat(0x3ff)}\r\n`.repeat(3),
  )
  assert.match(chunked, /^HTTP\/1\.1 413 /)
  const packed = { ...headers, 'content-encoding': 'gzip' }
  const encoded = await server.tcp('/api/plugins/one/disable', { method: 'POST', headers: packed, body: 'x' })
  assert.deepEqual([encoded.status, encoded.problem.code], [415, 'SERVER_BODY_ENCODED'])
  const unexpected = await server.tcp('/api/plugins', { headers: { ...headers, 'content-length': '2' }, body: '{}' })
  assert.deepEqual([unexpected.status, unexpected.problem.code], [400, 'SERVER_BODY_UNEXPECTED'])
})
