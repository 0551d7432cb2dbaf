import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Handler, Peer } from './handler.ts'
import { idempotent } from './idempotent.ts'

const peer: Peer = {
  via: 'unix',
  secure: false,
  address: '',
  localPort: undefined,
  target: '/',
  hosts: ['localhost'],
  closing: new AbortController().signal,
}

function post(key: string, body = '{}', method = 'POST'): Request {
  const init = { method, headers: { 'idempotency-key': key } }
  return new Request('http://localhost/jobs', method === 'POST' ? { ...init, body } : init)
}

function counting(status = 200): { calls: () => number; handler: Handler } {
  let calls = 0
  return {
    calls: () => calls,
    handler: async (request) => {
      calls += 1
      const mine = calls
      return new Response(`${mine} ${request.method === 'POST' ? await request.text() : ''}`, { status })
    },
  }
}

test('the same request with the same key is done once, also while the first still runs', async () => {
  const { calls, handler } = counting(201)
  const once = idempotent()(handler)
  const [first, beside] = await Promise.all([once(post('k'), peer), once(post('k'), peer)])
  const later = await once(post('k'), peer)
  assert.deepEqual([first.status, beside.status, later.status, calls()], [201, 201, 201, 1])
  assert.deepEqual(await Promise.all([first.text(), beside.text(), later.text()]), ['1 {}', '1 {}', '1 {}'])
  assert.equal(first.headers.get('idempotency-replayed'), null)
  assert.equal(later.headers.get('idempotency-replayed'), 'true')
})

test('another body under the same key is refused, and so is a key that is none', async () => {
  const once = idempotent()(counting().handler)
  await once(post('k'), peer)
  await assert.rejects(async () => once(post('k', '{"other":1}'), peer), { code: 'SERVER_IDEMPOTENCY_MISMATCH' })
  await assert.rejects(async () => once(post('two words'), peer), { code: 'SERVER_IDEMPOTENCY_KEY_INVALID' })
  await assert.rejects(async () => once(post('x'.repeat(129)), peer), { code: 'SERVER_IDEMPOTENCY_KEY_INVALID' })
})

test('failures, large answers and reads are not remembered', async () => {
  for (const [status, options, method] of [
    [503, {}, 'POST'],
    [429, {}, 'POST'],
    [499, {}, 'POST'],
    [200, { answerBytes: 1 }, 'POST'],
    [200, { keepMs: 0 }, 'POST'],
    [200, {}, 'GET'],
  ] as const) {
    const { calls, handler } = counting(status)
    const once = idempotent(options)(handler)
    await once(post('k', '{}', method), peer)
    await once(post('k', '{}', method), peer)
    assert.equal(calls(), 2, `${status} ${method}`)
  }
})

test('a handler that throws is tried again, one after another', async () => {
  let calls = 0
  const once = idempotent()(async () => {
    calls += 1
    await Promise.resolve()
    if (calls < 3) throw new Error('not yet')
    return new Response('done')
  })
  const results = await Promise.allSettled([
    once(post('k'), peer),
    once(post('k'), peer),
    once(post('k'), peer),
    once(post('k'), peer),
  ])
  assert.deepEqual([results.map(({ status }) => status).sort(), calls], [['fulfilled', 'fulfilled', 'rejected', 'rejected'], 3])
})

test('no more keys are remembered than allowed', async () => {
  const { calls, handler } = counting()
  const once = idempotent({ entries: 2 })(handler)
  for (const key of ['a', 'b', 'c', 'a', 'c']) await once(post(key), peer)
  assert.equal(calls(), 4)
})

test('the answers kept together are bounded in bytes, and the oldest go first', async () => {
  let calls = 0
  const once = idempotent({ totalBytes: 100 })(() => {
    calls += 1
    return new Response('x'.repeat(40))
  })
  for (const key of ['a', 'b', 'b', 'c', 'b', 'c']) await once(post(key), peer)
  assert.equal(calls, 3, 'two of forty bytes are kept')
  await once(post('a'), peer)
  assert.equal(calls, 4, 'the third was too much, and the oldest went')
  await once(post('c'), peer)
  assert.equal(calls, 4)
})

test('what is older than it is kept for goes with the next request, whoever asks', async (t) => {
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  let calls = 0
  const once = idempotent({ keepMs: 1_000, totalBytes: 100 })(() => {
    calls += 1
    return new Response('x'.repeat(60))
  })
  await once(post('a'), peer)
  nowMs = 999
  await once(post('a'), peer)
  assert.equal(calls, 1)
  nowMs = 1_000
  await once(post('b'), peer)
  await once(post('b'), peer)
  assert.equal(calls, 2, 'the old one took no room any more')
  await once(post('a'), peer)
  assert.equal(calls, 3)
})
