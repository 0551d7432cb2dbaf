import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineRuntime, testKernel, type TestKernelOptions } from '@backplane/testing'
import { asIfConfined } from '../fixtures/as-if-confined.ts'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

const mebibyte = 1024 ** 2
const group = (limits: object): Pick<TestKernelOptions, 'namespaces'> => ({
  namespaces: { tenants: { plugins: ['acme/*', 'demo/one'], limits }, rest: { plugins: ['acme/*'], limits: {} } },
})
const plugins = [
  echoPlugin({ id: 'acme/a', name: 'a', say: (value) => (value === 'wait' ? new Promise(() => undefined) : value) }),
  echoPlugin({ id: 'acme/b', name: 'b' }),
  echoPlugin({ id: 'demo/one', name: 'one' }),
  echoPlugin({ id: 'demo/two', name: 'two' }),
]

test('a plugin is in the first group that names it, and in default when none does', async () => {
  await using t = await testKernel({ points, plugins, ...group({ memoryMiB: 512 }) })
  const members = t.kernel.namespaces.list().map((one) => [one.name, one.members])
  assert.deepEqual(members, [
    ['tenants', ['acme/a', 'acme/b', 'demo/one']],
    ['rest', []],
    ['default', ['demo/two']],
  ])
  assert.equal(t.kernel.plugins.get('acme/a')?.namespace, 'tenants')
  assert.equal(t.kernel.namespaces.get('tenants').limits.memoryMiB, 512)
  assert.throws(() => t.kernel.namespaces.get('tenant'), { code: 'NAMESPACE_UNKNOWN', message: /tenants/ })
})

test('calls at once are limited over the group, and those outside it are not slowed', async () => {
  await using t = await testKernel({ points, plugins, ...group({ concurrency: 2 }) })
  const [a, b, two] = [t.kernel.provider(echo, 'a'), t.kernel.provider(echo, 'b'), t.kernel.provider(echo, 'two')]
  await a.say('x')
  const stop = new AbortController()
  const waiting = [1, 2].map(() => a.say('wait', { signal: stop.signal }))
  await t.clock.advance(1)
  assert.equal(t.kernel.namespaces.get('tenants').used.concurrency, 2)
  await assert.rejects(b.say('x'), {
    code: 'NAMESPACE_LIMIT',
    retryable: true,
    message: /tenants uses 2 of 2 concurrency/,
  })
  assert.equal(await two.say('x'), '1.0.0 x')
  assert.equal((await t.event('limit.exceeded')).plugin, 'acme/a', 'the one that has the calls, not the one that comes next')
  stop.abort()
  await Promise.allSettled(waiting)
  assert.equal(await b.say('x'), '1.0.0 x')
  assert.equal(t.kernel.namespaces.get('tenants').used.concurrency, 0)
})

test('a group’s longest call is that of each of its plugins', async () => {
  await using t = await testKernel({ points, plugins, ...group({ callMs: 250 }) })
  const late = assert.rejects(t.kernel.provider(echo, 'a').say('wait'), { code: 'CALL_DEADLINE', message: /within 250 ms/ })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(250)
  await late
  assert.equal(t.kernel.plugins.get('acme/a')?.limits?.timeoutMs, 250)
})

test('of a group that holds too much memory the largest is ended, and only that one', async () => {
  const runtime = inlineRuntime()
  await using t = await testKernel({ points, plugins, runtimes: [asIfConfined(runtime)], ...group({ memoryMiB: 300 }) })
  for (const name of ['a', 'b', 'one', 'two']) await t.kernel.provider(echo, name).say('x')
  runtime.use('acme/a', { memoryBytes: 100 * mebibyte })
  runtime.use('acme/b', { memoryBytes: 200 * mebibyte })
  runtime.use('demo/two', { memoryBytes: 250 * mebibyte })
  await t.clock.advance(1_000)
  assert.equal(t.kernel.namespaces.get('tenants').used.memoryMiB, 300)
  runtime.use('acme/a', { memoryBytes: 101 * mebibyte })
  await t.clock.advance(1_000)
  const { plugin, detail } = await t.event('limit.exceeded')
  assert.deepEqual(
    [plugin, detail],
    ['acme/b', 'namespace tenants uses 301 of 300 memoryMiB; 200 of that are its own, the most of all'],
  )
  assert.deepEqual(
    runtime.running().map(({ id }) => id),
    ['acme/a', 'demo/one', 'demo/two'],
  )
  assert.equal(t.events().filter(({ type }) => type === 'limit.exceeded').length, 1)
})

test('what a host takes for a group counts with what its plugins use, until it is given back', async () => {
  await using t = await testKernel({ points, plugins, ...group({ concurrency: 2, openFiles: 10 }) })
  const tenants = t.kernel.namespaces.get('tenants')
  const files = tenants.check('openFiles', 8)
  assert.throws(() => tenants.check('openFiles', 3), { code: 'NAMESPACE_LIMIT', message: /uses 8 of 10 openFiles; 3 more/ })
  assert.equal(t.kernel.namespaces.get('tenants').used.openFiles, 8)
  files.release()
  files.release()
  assert.equal(t.kernel.namespaces.get('tenants').used.openFiles, 0)
  {
    using one = tenants.check('concurrency')
    using two = tenants.check('concurrency')
    assert.deepEqual([one.amount, two.resource], [1, 'concurrency'])
    await assert.rejects(t.kernel.provider(echo, 'b').say('x'), { code: 'NAMESPACE_LIMIT' })
  }
  assert.equal(await t.kernel.provider(echo, 'b').say('x'), '1.0.0 x')
  assert.equal(t.kernel.namespaces.get('default').check('memoryMiB', 1e9).amount, 1e9, 'what is not limited is not refused')
})

test('an amount that is none is not taken: it would lift the limit for all', async () => {
  await using t = await testKernel({ points, plugins, ...group({ concurrency: 2 }) })
  const tenants = t.kernel.namespaces.get('tenants')
  for (const amount of [NaN, -1, Infinity]) assert.throws(() => tenants.check('concurrency', amount), RangeError)
  assert.equal(t.kernel.namespaces.get('tenants').used.concurrency, 0)
})
