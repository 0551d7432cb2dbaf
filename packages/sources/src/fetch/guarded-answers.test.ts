import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serving, type Answering, type Serving } from '../fixtures/serving.ts'
import { at, failure, get, quick } from './fixtures/download.ts'

const answers: readonly (readonly [status: number, code: string, times: number])[] = [
  [401, 'FETCH_DENIED', 1],
  [403, 'FETCH_DENIED', 1],
  [404, 'FETCH_NOT_FOUND', 1],
  [410, 'FETCH_NOT_FOUND', 1],
  [429, 'FETCH_UNREACHABLE', 1],
  [204, 'FETCH_RESPONSE_INVALID', 1],
  [500, 'FETCH_UNREACHABLE', 3],
  [503, 'FETCH_UNREACHABLE', 3],
]

for (const [status, code, times] of answers) {
  test(`an answer ${status} is ${code}, after ${times} ${times === 1 ? 'attempt' : 'attempts'}`, async (t) => {
    const server = await serving(t, (_request, response) => response.writeHead(status).end())
    await assert.rejects(get(server), { code })
    assert.equal(server.asked.length, times)
  })
}

test('what a server writes into its refusal is in no error', async (t) => {
  const header = { 'www-authenticate': 'Basic realm="hunter2"' }
  const server = await serving(t, (_request, response) => response.writeHead(401, header).end())
  const { message, details } = await failure(() => get(server))
  assert.doesNotMatch(JSON.stringify({ message, details }), /hunter2/)
  assert.deepEqual(details, { status: 401 })
})

test('what fails for a moment is asked for again', async (t) => {
  const server: Serving = await serving(t, (_request, response) => {
    response.writeHead(server.asked.length < 3 ? 502 : 200).end('ok')
  })
  assert.equal((await get(server)).bytes.length, 2)
})

test('more than is wanted is not read: neither where it is announced, nor where it never ends', async (t) => {
  const announced = await serving(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 2_000_000_000 }).flushHeaders()
  })
  await assert.rejects(get(announced), { code: 'FETCH_TOO_LARGE', message: /larger than 1000 bytes/ })
  const endless = await serving(t, (_request, response) => {
    const more = (): void => void (response.destroyed || response.write('x'.repeat(500), () => setImmediate(more)))
    more()
  })
  await assert.rejects(get(endless), { code: 'FETCH_TOO_LARGE' })
  const most = await serving(t, (_request, response) => response.end('x'.repeat(1_000)))
  assert.equal((await get(most)).bytes.length, 1_000)
})

test('who says nothing, or stops, or says it drop by drop, is given up', async (t) => {
  const silent = await serving(t, () => {})
  const idle = { limits: { ...quick, idleMs: 50 } }
  await assert.rejects(get(silent, idle), { code: 'FETCH_UNREACHABLE', message: /nothing came for 0\.05 s/ })
  silent.answer = (_request, response) => response.write('x')
  await assert.rejects(get(silent, idle), { code: 'FETCH_UNREACHABLE' })
  silent.answer = (_request, response) => {
    const drip = setInterval(() => response.write('x'), 10)
    response.on('close', () => clearInterval(drip))
  }
  const limits = { ...quick, timeoutMs: 200 }
  await assert.rejects(get(silent, { limits }), { code: 'FETCH_UNREACHABLE', message: /not done within 0\.2 s/ })
  silent.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('x')
    setImmediate(() => response.destroy())
  }
  await assert.rejects(get(silent), { code: 'FETCH_UNREACHABLE', message: /closed the connection before it was done/ })
  const stop = new AbortController()
  silent.answer = (_request, response) => response.writeHead(101, { connection: 'upgrade', upgrade: 'x' }).end()
  await assert.rejects(get(silent), { code: 'FETCH_UNREACHABLE' })
  const never = (): Promise<never> => new Promise(() => {})
  const url = 'https://r.example'
  await assert.rejects(get({ url }, { limits, resolve: never }), { code: 'FETCH_UNREACHABLE', message: /not done within/ })
  await assert.rejects(get({ url, credential: never }, { limits, ...at('10.255.255.1') }), { message: /not done within/ })
  silent.answer = () => stop.abort()
  await assert.rejects(get(silent, { signal: stop.signal }), { name: 'AbortError' })
})

test('an answer that is encoded, of another type or no HTTP is not taken', async (t) => {
  const server = await serving(t, (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'))
  await assert.rejects(get(server), { code: 'FETCH_RESPONSE_INVALID', message: /encoded as gzip/ })
  assert.equal(server.asked[0]?.headers['accept-encoding'], 'identity')
  const typed =
    (type: string): Answering =>
    (_request, response) =>
      response.writeHead(200, { 'content-type': type }).end('{}')
  for (const [type, said, isTaken] of [
    ['json', 'application/json; charset=utf-8', true],
    ['json', 'application/vnd.npm.install-v1+json', true],
    ['json', 'text/html', false],
    ['json', 'application/octet-stream', false],
    ['archive', 'application/octet-stream', true],
    ['archive', 'application/gzip', true],
    ['archive', 'text/html; charset=utf-8', false],
    ['archive', 'application/json', false],
  ] as const) {
    server.answer = typed(said)
    if (isTaken) await get(server, { type })
    else await assert.rejects(get(server, { type }), { code: 'FETCH_RESPONSE_INVALID', message: /calls itself/ }, said)
  }
  server.answer = (request) => request.socket.end('nonsense\r\n\r\n')
  await assert.rejects(get(server), { code: 'FETCH_UNREACHABLE', message: /is no HTTP/ })
  server.answer = (request) => request.socket.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`)
  await assert.rejects(get(server), { code: 'FETCH_UNREACHABLE', message: /is no HTTP/ })
})
