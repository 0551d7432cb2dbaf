import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, type EchoParts } from '../fixtures/demo-points.ts'

const hang = (): Promise<never> => new Promise(() => undefined)
const kernelWith = (parts: EchoParts, options = {}): ReturnType<typeof testKernel> =>
  testKernel({ points, plugins: [echoPlugin(parts)], ...options })

test('more calls than slots wait, more than the queue are refused, and each slot is used again', async () => {
  const releases: (() => void)[] = []
  const say = (value: string): Promise<string> => new Promise((resolve) => releases.push(() => resolve(value)))
  await using t = await kernelWith({ say }, { settings: () => ({ limits: { concurrency: 2, queue: 1 } }) })
  const client = t.kernel.provider(echo, 'echo')
  const calls = [client.say('a'), client.say('b'), client.say('c')]
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  assert.equal(releases.length, 2)
  await assert.rejects(client.say('d'), { code: 'CALL_QUEUE_FULL', retryable: true })
  const { active, queued } = t.kernel.plugins.get('demo/echo')?.counters ?? {}
  assert.deepEqual([active, queued], [2, 1])
  for (let at = 0; at < 3; at += 1) {
    releases[at]?.()
    await calls[at]
    await t.clock.advance(1)
  }
  assert.deepEqual(await Promise.all(calls), ['a', 'b', 'c'])
  const refusals = t.events().filter(({ type }) => type === 'call.refused')
  assert.equal(refusals.length, 1)
})

test('a waiting call that is cancelled gives its place in the queue back', async () => {
  await using t = await kernelWith({ say: hang }, { settings: () => ({ limits: { concurrency: 1, queue: 1 } }) })
  const client = t.kernel.provider(echo, 'echo')
  const abort = new AbortController()
  const end = new AbortController()
  const running = assert.rejects(client.say('a', { signal: end.signal }), { name: 'AbortError' })
  const waiting = assert.rejects(client.say('b', { signal: abort.signal }), { name: 'AbortError' })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  await assert.rejects(client.say('c'), { code: 'CALL_QUEUE_FULL' })
  abort.abort()
  await waiting
  const next = assert.rejects(client.say('d', { signal: end.signal }), { name: 'AbortError' })
  end.abort()
  await Promise.all([running, next])
})

test('a plugin that is called a lot cannot flood the event log with refusals', async () => {
  await using t = await kernelWith({ say: hang }, { settings: () => ({ limits: { concurrency: 1, queue: 0 } }) })
  const client = t.kernel.provider(echo, 'echo')
  const end = new AbortController()
  const running = assert.rejects(client.say('a', { signal: end.signal }), { name: 'AbortError' })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  await Promise.allSettled(Array.from({ length: 100 }, () => client.say('x')))
  assert.equal(t.events().filter(({ type }) => type === 'call.refused').length, 1)
  await t.clock.advance(1_000)
  await Promise.allSettled([client.say('x')])
  assert.equal(t.events().filter(({ type }) => type === 'call.refused').length, 2)
  end.abort()
  await running
})
