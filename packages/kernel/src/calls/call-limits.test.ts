import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

const forever = (): Promise<never> => new Promise(() => undefined)

test('calls that a plugin goes on with after their deadlines give their slots back; too many of them end it', async () => {
  const plugin = echoPlugin({ say: (value) => (value === 'x' ? value : forever()) })
  await using t = await testKernel({ points, plugins: [plugin], limits: { timeoutMs: 100, concurrency: 1 } })
  const client = t.kernel.provider(echo, 'echo')
  await client.say('x')
  for (let call = 1; call <= 7; call += 1) {
    const refused = assert.rejects(client.say('y'), { code: 'CALL_DEADLINE' })
    await t.clock.advance(100)
    await refused
    assert.equal(await client.say('x'), 'x', 'the slot is free')
  }
  await t.clock.advance(2_000)
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
  const refused = assert.rejects(client.say('y'), { code: 'CALL_DEADLINE' })
  await t.clock.advance(100)
  await refused
  await t.clock.advance(1_000)
  const { cause } = await t.event('plugin.exited')
  assert.equal(cause.kind === 'limit' && cause.detail, 'time: 8 calls went on for more than 1000 ms after their deadlines')
  assert.equal(t.kernel.plugins.get('echo')?.violations.time, 9)
})

test('calls that end when they are told to do not count, however many there are; nor does a caller in a hurry', async () => {
  const plugin = echoPlugin({
    say: (_value, call) =>
      new Promise((_resolve, reject) => call.signal.addEventListener('abort', () => reject(new Error('left')))),
  })
  await using t = await testKernel({ points, plugins: [plugin], limits: { timeoutMs: 100 } })
  const client = t.kernel.provider(echo, 'echo')
  const calls = Promise.allSettled(Array.from({ length: 50 }, () => client.say('y', { deadlineMs: 50 })))
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(2_000)
  await calls
  assert.deepEqual([t.kernel.plugins.get('echo')?.state.name, t.kernel.plugins.get('echo')?.violations], ['active', {}])
})
