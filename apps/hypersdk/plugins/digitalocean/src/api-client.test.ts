import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openProvider } from '@hypersdk/points/testing'
import { ApiClient } from './api-client.ts'
import { dropletApi, type ApiAnswer, type DropletApi } from './fixtures/droplet-api.ts'
import plugin from './index.ts'
import { retryAt, retryLimits, type RequestCall } from './retry.ts'

const idle: RequestCall = { signal: new AbortController().signal, deadlineAtMs: undefined }
const request = { method: 'GET', path: '/v2/account', what: 'account' } as const
const creation = { method: 'POST', path: '/v2/droplets/7/actions', body: { type: 'snapshot' }, what: 'droplet 7' } as const
const ok: ApiAnswer = { json: { account: { status: 'active' } } }
const failure = (status: number, headers: Record<string, string> = {}): ApiAnswer => ({
  status,
  headers,
  json: { id: 'some_id', message: 'what the API says', request_id: '515850a0' },
})

/** A client without waits of its own, before a server that gives these answers in turn, the last one for ever. */
async function client(
  t: TestContext,
  answers: readonly (ApiAnswer | 'hang')[],
  timeoutMs = 5000,
): Promise<{ api: ApiClient; server: DropletApi }> {
  const left = [...answers]
  const server = await dropletApi(t, () => (left.length > 1 ? left.shift() : left[0]))
  const settings = { origin: server.origin, token: async () => 'token', timeoutMs }
  return { api: new ApiClient(settings, { ...retryLimits, firstDelayMs: 1 }), server }
}

test('a server that stumbles is asked again', async (t) => {
  for (const stumble of [failure(500), failure(503), undefined]) {
    const { api, server } = await client(t, [stumble, stumble, ok])
    assert.deepEqual(await api.request(request, idle), { account: { status: 'active' } })
    assert.equal(server.seen.length, 3)
  }
})

test('a server that stays down is given up after the attempts the limit allows', async (t) => {
  for (const down of [failure(502), undefined]) {
    const { api, server } = await client(t, [down])
    await assert.rejects(api.request(request, idle), { code: 'DIGITALOCEAN_UNAVAILABLE', retryable: true })
    assert.equal(server.seen.length, retryLimits.attempts)
  }
})

test('what creates something is not repeated when it may have been done', async (t) => {
  for (const doubt of [failure(500), undefined]) {
    const { api, server } = await client(t, [doubt, ok])
    await assert.rejects(api.request(creation, idle), { code: 'DIGITALOCEAN_UNAVAILABLE' })
    assert.equal(server.seen.length, 1)
  }
})

test('a rate limit is waited out when the wait is short, also for what creates something', async (t) => {
  for (const one of [request, creation]) {
    const { api, server } = await client(t, [failure(429, { 'retry-after': '0' }), ok])
    await api.request(one, idle)
    assert.equal(server.seen.length, 2)
  }
})

test('a rate limit that lasts long is told instead of waited out', async (t) => {
  const reset = Math.floor(Date.now() / 1000) + 3000
  for (const headers of [{ 'retry-after': '3000' }, { 'ratelimit-reset': String(reset) }]) {
    const { api, server } = await client(t, [failure(429, headers), ok])
    await assert.rejects(api.request(request, idle), {
      code: 'DIGITALOCEAN_RATE_LIMITED',
      retryable: true,
      message: /until 20\d\d-/,
    })
    assert.equal(server.seen.length, 1)
  }
})

test('a wait that would pass the deadline of the call is not begun', async (t) => {
  const { api, server } = await client(t, [failure(429, { 'retry-after': '30' }), ok])
  const hurried = { ...idle, deadlineAtMs: Date.now() + 5000 }
  await assert.rejects(api.request(request, hurried), { code: 'DIGITALOCEAN_RATE_LIMITED' })
  assert.equal(server.seen.length, 1)
})

test('a cancel ends a wait and a request with its own reason', async (t) => {
  for (const answer of [failure(429, { 'retry-after': '60' }), 'hang'] as const) {
    const { api, server } = await client(t, [answer])
    const cancel = new AbortController()
    const call = api.request(request, { ...idle, signal: cancel.signal })
    call.catch(() => undefined)
    while (server.seen.length === 0) await new Promise(setImmediate)
    cancel.abort(new Error('not wanted any more'))
    await assert.rejects(call, /not wanted any more/)
  }
})

test('a server that does not answer is left at the timeout', async (t) => {
  const { api, server } = await client(t, ['hang'], 20)
  await assert.rejects(api.request(request, idle), { code: 'DIGITALOCEAN_UNAVAILABLE', message: /within 20 ms/ })
  assert.equal(server.seen.length, retryLimits.attempts)
})

for (const [status, code] of [
  [401, 'DIGITALOCEAN_TOKEN_REFUSED'],
  [403, 'DIGITALOCEAN_FORBIDDEN'],
  [404, 'DIGITALOCEAN_NOT_FOUND'],
  [422, 'DIGITALOCEAN_REFUSED'],
] as const) {
  test(`an answer of ${status} is ${code} and not repeated`, async (t) => {
    const { api, server } = await client(t, [failure(status)])
    await assert.rejects(api.request(request, idle), { code, retryable: false })
    assert.equal(server.seen.length, 1)
  })
}

test('a refused token names the setting, a refused request the request id', async (t) => {
  const { api } = await client(t, [failure(401), failure(422)])
  await assert.rejects(api.request(request, idle), { hint: /metadata\.token/, message: /what the API says/ })
  await assert.rejects(api.request(request, idle), { details: { request_id: '515850a0' } })
})

test('the time to ask again is read from either header', () => {
  assert.equal(retryAt(new Headers({ 'retry-after': '7' }), 1000), 8000)
  assert.equal(retryAt(new Headers({ 'retry-after': 'Thu, 01 Jan 1970 00:01:00 GMT' }), 0), 60_000)
  assert.equal(retryAt(new Headers({ 'ratelimit-reset': '1402425459' }), 0), 1_402_425_459_000)
  assert.equal(retryAt(new Headers({ 'retry-after': 'soon' }), 0), undefined)
})

for (const [setting, config] of [
  ['metadata.token', { metadata: {} }],
  ['metadata.token', { metadata: { token: '' } }],
  ['metadata.token', { metadata: { token: 'a\r\nx-evil: 1' } }],
  ['endpoint', { endpoint: 'nowhere', metadata: { token: 't' } }],
  ['endpoint', { endpoint: 'http://api.example.com', metadata: { token: 't' } }],
  ['endpoint', { endpoint: 'https://user@api.example.com', metadata: { token: 't' } }],
  ['endpoint', { endpoint: 'https://api.example.com/other', metadata: { token: 't' } }],
  ['insecure', { insecure: true, metadata: { token: 't' } }],
] as const) {
  test(`${JSON.stringify(config)} is refused when the instance is opened`, async () => {
    await assert.rejects(openProvider(plugin, config), {
      code: 'DIGITALOCEAN_SETTING_INVALID',
      message: new RegExp(`^${setting} `),
    })
  })
}

test('valid credentials are told from refused ones', async (t) => {
  const server = await dropletApi(t, ({ authorization }) => (authorization === 'Bearer good' ? ok : failure(401)))
  const open = (token: string): ReturnType<typeof openProvider> =>
    openProvider(plugin, { endpoint: server.origin, metadata: { token } })
  assert.equal(await (await open('good')).unary('validateCredentials', null), null)
  await assert.rejects((await open('bad')).unary('validateCredentials', null), { code: 'DIGITALOCEAN_TOKEN_REFUSED' })
})

test("a token may be a secret of the host's, fetched at each request", async (t) => {
  const server = await dropletApi(t, () => ok)
  const tokens = ['first', 'second']
  const secrets = { get: async (name: string) => (name === 'do' ? (tokens.shift() ?? '') : '') }
  const provider = await openProvider(plugin, { endpoint: server.origin, metadata: { token_secret: 'do' } }, { secrets })
  await provider.unary('validateCredentials', null)
  await provider.unary('validateCredentials', null)
  assert.deepEqual(
    server.seen.map((one) => one.authorization),
    ['Bearer first', 'Bearer second'],
  )
})
