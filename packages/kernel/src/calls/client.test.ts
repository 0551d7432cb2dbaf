import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { points, store } from '../fixtures/demo-points.ts'

const disk = (opened: (prefix: string, call: Call) => unknown): InlinePlugin => ({
  manifest: { id: 'demo/disk', contributes: { 'demo.store': { disk: {} } } },
  setup: (scope) => scope.provide(store, 'disk', { open: opened as never }),
})
const kernelWith = (opened: (prefix: string, call: Call) => unknown): Promise<TestKernel> =>
  testKernel({ points, plugins: [disk(opened)] })
const full = (prefix: string): object => ({ get: (key: string) => prefix + key, list: () => [] })

test('each opened instance is separate and has exactly the methods of the point', async () => {
  await using t = await kernelWith(full)
  const handle = t.kernel.provider(store, 'disk')
  await using one = await handle.open('a:')
  await using two = await handle.open('b:')
  assert.deepEqual(await Promise.all([one.get('k'), two.get('k')]), ['a:k', 'b:k'])
  assert.ok(Object.isFrozen(one))
  assert.equal(Reflect.get(one, 'then'), undefined)
})

test('a stream of an opened instance works, and missing optional methods are known', async () => {
  async function* list(key: string): AsyncIterable<string> {
    yield `${key}1`
    yield `${key}2`
  }
  await using t = await kernelWith((prefix) => ({ ...full(prefix), list }))
  await using opened = await t.kernel.provider(store, 'disk').open('a:')
  const items: string[] = []
  for await (const item of opened.list('k')) items.push(item)
  assert.deepEqual(items, ['k1', 'k2'])
  assert.deepEqual([opened.has('get'), opened.has('drop'), opened.has('toString' as 'get')], [true, false, false])
  await assert.rejects(opened.drop('x'), { code: 'CALL_METHOD_MISSING' })
})

test('options that do not fit are refused before anything starts; what open throws is attributed', async () => {
  await using t = await kernelWith(() => {
    throw Object.assign(new Error('bad credentials'), { code: 'AUTH' })
  })
  const handle = t.kernel.provider(store, 'disk')
  await assert.rejects(handle.open(7 as never), { code: 'CALL_INPUT_INVALID' })
  assert.equal(t.kernel.plugins.get('disk')?.state.name, 'idle')
  await assert.rejects(handle.open('x'), {
    code: 'CALL_FAILED',
    message: /bad credentials/,
    details: { pluginCode: 'AUTH', name: 'disk', method: 'open' },
  })
})

test('an instance that opens too late is closed again', async () => {
  const late = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  await using t = await kernelWith(async (prefix) => {
    await late.promise
    return { ...full(prefix), close: () => closed.resolve() }
  })
  const refused = assert.rejects(t.kernel.provider(store, 'disk').open('x', { deadlineMs: 50 }), { code: 'CALL_DEADLINE' })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(50)
  await refused
  late.resolve()
  await closed.promise
})

test('closing runs the close of the instance once, however often it is asked; a close that throws is no news', async () => {
  let closed = 0
  await using t = await kernelWith((prefix) => ({
    ...full(prefix),
    close: () => {
      closed += 1
      throw new Error('already gone')
    },
  }))
  const opened = await t.kernel.provider(store, 'disk').open('x')
  await Promise.all([opened[Symbol.asyncDispose](), opened[Symbol.asyncDispose]()])
  assert.equal(closed, 1)
  await assert.rejects(opened.get('k'), { code: 'CALL_FAILED' })
})

test('a close that never ends is given up when a plugin that stops would be', async () => {
  await using t = await testKernel({
    points,
    plugins: [disk((prefix) => ({ ...full(prefix), close: () => new Promise(() => undefined) }))],
    times: { stopMs: 100 },
  })
  const opened = await t.kernel.provider(store, 'disk').open('x')
  const closed = opened[Symbol.asyncDispose]()
  await t.clock.advance(100)
  await closed
})

test('a handle of a provider that is opened has no methods of its own', async () => {
  await using t = await kernelWith(full)
  assert.deepEqual(Object.keys(t.kernel.provider(store, 'disk')), ['open'])
})
