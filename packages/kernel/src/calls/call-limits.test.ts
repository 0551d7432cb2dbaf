import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
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

test('where the host says so one call over its time ends its plugin', async () => {
  await using t = await testKernel({
    points,
    plugins: [echoPlugin({ say: (value) => (value === 'x' ? value : forever()) })],
    limits: { timeoutMs: 100 },
    onLimit: { time: 'restart' },
  })
  const client = t.kernel.provider(echo, 'echo')
  await client.say('x')
  const late = assert.rejects(client.say('y'), { code: 'CALL_DEADLINE' })
  await t.clock.advance(100)
  await late
  assert.equal((await t.event('limit.exceeded')).action, 'restart')
  assert.match(t.lines.map(({ message }) => message).join('\n'), /time: demo\.echo\.say took longer than 100 ms/)
  assert.equal(await client.say('x'), 'x')
  assert.equal(t.kernel.plugins.get('echo')?.generation, 2)
})

test('a message too large for its session is that call’s end, and a violation', async () => {
  const tooLarge = (): never => {
    throw new PlatformError('RPC_MESSAGE_TOO_LARGE', 'a message of 9 MiB is larger than the 8 MiB the other side takes')
  }
  await using t = await testKernel({ points, plugins: [echoPlugin({ say: tooLarge })] })
  await assert.rejects(t.kernel.provider(echo, 'echo').say('x'), { code: 'CALL_FAILED' })
  const { limit, action, detail } = await t.event('limit.exceeded')
  assert.deepEqual([limit, action], ['message', 'refuse'])
  assert.match(detail, /demo\.echo\.say: .*9 MiB/)
})
