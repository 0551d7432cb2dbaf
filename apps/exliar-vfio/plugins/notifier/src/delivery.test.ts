import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { deliver, type DeliveryLimits } from './delivery.ts'
import { webhook, type Webhook } from './fixtures/webhook.ts'

const quick: DeliveryLimits = { attempts: 3, firstDelayMs: 1, longestWaitMs: 50, requestMs: 5_000 }
const never = new AbortController().signal

function send(origin: string, limits: Partial<DeliveryLimits> = {}, signal = never): Promise<void> {
  return deliver({ address: async () => new URL(origin), origin, body: '{}' }, signal, { ...quick, ...limits })
}

async function answering(t: TestContext, ...statuses: readonly number[]): Promise<Webhook> {
  return webhook(t, (response, nth) => void response.writeHead(statuses[nth - 1] ?? 204, { 'retry-after': '0.001' }).end())
}

test('a service that is busy or broken is asked again until it takes the message', async (t) => {
  const hook = await answering(t, 503, 429)
  await send(hook.origin)
  assert.equal(hook.seen.length, 3)
})

test('a service that stays broken is asked as often as the limit says', async (t) => {
  const hook = await answering(t, 500, 502, 503, 504)
  await assert.rejects(send(hook.origin), { code: 'NOTIFIER_UNREACHABLE', retryable: true })
  assert.equal(hook.seen.length, 3)
})

test('a service that wants to be asked later than the limit is not waited for', async (t) => {
  const hook = await webhook(t, (response) => void response.writeHead(429, { 'retry-after': '3600' }).end())
  await assert.rejects(send(hook.origin), { code: 'NOTIFIER_UNREACHABLE', message: /status 429/ })
  assert.equal(hook.seen.length, 1)
})

test('a service that does not take the message is asked once', async (t) => {
  for (const status of [400, 401, 404]) {
    const hook = await answering(t, status, status)
    await assert.rejects(send(hook.origin), { code: 'NOTIFIER_REFUSED' })
    assert.equal(hook.seen.length, 1)
  }
})

test('a redirect is refused, so that the message goes nowhere else', async (t) => {
  const elsewhere = await webhook(t)
  for (const status of [301, 302, 303, 307, 308]) {
    const hook = await webhook(t, (response) => void response.writeHead(status, { location: elsewhere.origin }).end())
    await assert.rejects(send(hook.origin), { code: 'NOTIFIER_REDIRECTED' })
    assert.equal(hook.seen.length, 1)
  }
  assert.equal(elsewhere.seen.length, 0)
})

test('a service that is not there is named by its origin and the reason alone', async () => {
  await assert.rejects(
    deliver(
      { address: async () => new URL('http://127.0.0.1:1/secret'), origin: 'http://127.0.0.1:1', body: '{}' },
      never,
      quick,
    ),
    {
      code: 'NOTIFIER_UNREACHABLE',
      message: /^http:\/\/127\.0\.0\.1:1 did not take the message: (?:ECONNREFUSED|the connection failed)$/,
    },
  )
})

test('a service that does not answer is given up on', async (t) => {
  const hook = await webhook(t, () => undefined)
  await assert.rejects(send(hook.origin, { attempts: 1, requestMs: 20 }), { message: /no answer within 20 ms/ })
})

test('whoever waits can give up', async (t) => {
  const hook = await answering(t, 503, 503)
  const controller = new AbortController()
  const sent = send(hook.origin, { firstDelayMs: 60_000, longestWaitMs: 60_000, attempts: 2 }, controller.signal)
  await hook.requests(1)
  controller.abort(new Error('enough'))
  await assert.rejects(sent, { message: 'enough' })
})
