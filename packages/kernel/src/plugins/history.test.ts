import assert from 'node:assert/strict'
import type { Scope } from '@backplane/sdk'
import { test } from 'node:test'
import { memoryStore } from '../index.ts'
import { testKernel, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

const times = { probationMs: 60_000 }
const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')
const broken = (version: string): ReturnType<typeof echoPlugin> => ({
  ...echoPlugin({ version }),
  setup: () => assert.fail(`bad ${version}`),
})

async function kernelWith(options: TestKernelOptions = {}): Promise<TestKernel> {
  return testKernel({ points, plugins: [echoPlugin({ version: '1.0.0' })], times, ...options })
}

/** Another host over the same store and the same sources, after the first has stopped. */
async function restart(t: TestKernel, store: ReturnType<typeof memoryStore>): Promise<TestKernel> {
  await t.kernel[Symbol.asyncDispose]()
  const again = await kernelWith({ store, plugins: [], sources: [t.source], clock: t.clock })
  return Object.assign(again, { source: t.source })
}

async function update(t: TestKernel, ...plugins: ReturnType<typeof echoPlugin>[]): Promise<void> {
  for (const plugin of plugins) {
    t.source.put(plugin)
    await t.kernel.plugins.refresh()
  }
}

async function outcomes(t: TestKernel): Promise<unknown> {
  return (await t.kernel.plugins.history('echo')).map(({ version, outcome }) => `${version} ${outcome}`)
}

test('the history tells what served, from when to when, and what became of it', async () => {
  await using t = await kernelWith()
  await say(t)
  const startedMs = t.clock.now()
  await t.clock.advance(5_000)
  await update(t, echoPlugin({ version: '2.0.0', manifest: { stateVersion: 1 } }), broken('3.0.0'))
  assert.deepEqual(await outcomes(t), ['3.0.0 failed', '2.0.0 serving', '1.0.0 replaced'])
  const [failed, serving, replaced] = await t.kernel.plugins.history('demo/echo')
  assert.match(failed?.reason ?? '', /bad 3\.0\.0/)
  assert.equal(serving?.toMs, undefined)
  assert.deepEqual([replaced?.fromMs, replaced?.toMs, replaced?.stateVersion], [startedMs, startedMs + 5_000, 1])
  assert.match(replaced?.digest ?? '', /^sha256:/)
  assert.notEqual(replaced?.digest, serving?.digest)
})

test('the history keeps the newest twenty entries, and survives a restart', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store, times: { probationMs: 0 } })
  await say(t)
  for (let version = 2; version <= 30; version += 1) await update(t, echoPlugin({ version: `${version}.0.0` }))
  await using again = await restart(t, store)
  const history = await again.kernel.plugins.history('echo')
  assert.equal(history.length, 20)
  assert.deepEqual([history[0]?.version, history[0]?.outcome, history[19]?.version], ['30.0.0', 'serving', '11.0.0'])
  assert.equal(await say(again), '30.0.0 x')
  assert.deepEqual(await again.kernel.plugins.history('echo'), history, 'the same version serves on')
})

test('what was moved back is not tried again after a restart either, until its source changes', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store })
  for (let at = 0; at < 20; at += 1) await say(t)
  await update(t, echoPlugin({ version: '2.0.0', say: () => 42 }))
  await Promise.allSettled(Array.from({ length: 5 }, () => say(t)))
  await t.event('plugin.moved-back')
  assert.equal(await say(t), '1.0.0 x')
  assert.deepEqual(await outcomes(t), ['1.0.0 serving', '2.0.0 moved back', '1.0.0 replaced'])
  await using again = await restart(t, store)
  assert.equal(await say(again), '1.0.0 x')
  const record = again.kernel.plugins.get('echo')
  assert.deepEqual([record?.version, record?.update?.version], ['1.0.0', '2.0.0'])
  assert.deepEqual([record?.held?.why, record?.held?.against.version], ['moved back', '2.0.0'])
  assert.equal(record?.update?.failure.stage, 'probation')
  assert.deepEqual((await again.kernel.plugins.refresh()).updated, [])
  await update(again, echoPlugin({ version: '2.0.1' }))
  assert.equal(await say(again), '2.0.1 x')
  assert.equal(again.kernel.plugins.get('echo')?.held, undefined)
})

test('the same bytes with another fingerprint are still what was found wanting', async () => {
  await using t = await kernelWith()
  for (let at = 0; at < 20; at += 1) await say(t)
  await update(t, echoPlugin({ version: '2.0.0', say: () => 42 }))
  await Promise.allSettled(Array.from({ length: 5 }, () => say(t)))
  await t.event('plugin.moved-back')
  const [found] = (await t.source.list(new AbortController().signal)).packages
  assert.ok(found)
  Object.assign(t.source, { list: async () => ({ packages: [{ ...found, fingerprint: 'touched' }], problems: [] }) })
  assert.deepEqual((await t.kernel.plugins.refresh()).updated, [])
  assert.equal(await say(t), '1.0.0 x')
})

test('reload puts what was moved back to the test again', async () => {
  let isWrong = true
  await using t = await kernelWith()
  for (let at = 0; at < 20; at += 1) await say(t)
  await update(t, echoPlugin({ version: '2.0.0', say: (value) => (isWrong ? 42 : `2.0.0 ${value}`) }))
  await Promise.allSettled(Array.from({ length: 5 }, () => say(t)))
  await t.event('plugin.moved-back')
  isWrong = false
  const record = await t.kernel.plugins.reload('echo')
  assert.deepEqual([record.version, record.update, record.held], ['2.0.0', undefined, undefined])
  assert.equal(await say(t), '2.0.0 x')
})

test('rolled back by hand an earlier version serves, and goes on to after a restart, until the source changes', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store, times: { probationMs: 0 } })
  await say(t)
  await update(t, echoPlugin({ version: '2.0.0' }))
  const record = await t.kernel.plugins.rollback('echo')
  assert.deepEqual([record.version, record.held?.why, record.held?.against.version], ['1.0.0', 'rolled back', '2.0.0'])
  assert.equal(record.probation, undefined)
  assert.equal(await say(t), '1.0.0 x')
  assert.deepEqual(await outcomes(t), ['1.0.0 serving', '2.0.0 rolled back', '1.0.0 replaced'])
  assert.equal((await t.kernel.plugins.reload('echo')).version, '1.0.0', 'a reload is no change of mind')
  await using again = await restart(t, store)
  assert.equal(await say(again), '1.0.0 x')
  assert.equal((await again.kernel.plugins.refresh()).updated.length, 0)
  const forward = await again.kernel.plugins.rollback('echo', { to: '2.0.0' })
  assert.deepEqual([forward.version, forward.held], ['2.0.0', undefined])
  assert.equal(await say(again), '2.0.0 x')
})

test('of several versions the one that is named is gone back to', async () => {
  await using t = await kernelWith()
  await say(t)
  await update(t, echoPlugin({ version: '2.0.0' }), echoPlugin({ version: '3.0.0' }))
  assert.equal((await t.kernel.plugins.rollback('echo', { to: '1.0.0' })).version, '1.0.0')
  assert.equal(await say(t), '1.0.0 x')
  assert.equal((await t.kernel.plugins.rollback('echo', { to: '2.0.0' })).version, '2.0.0')
  assert.equal(await say(t), '2.0.0 x')
})

test('a roll-back that cannot start leaves what serves, and nothing is held', async () => {
  let works = true
  const first = echoPlugin({ version: '1.0.0' })
  const plugins = [{ ...first, setup: (scope: Scope) => (works ? first.setup?.(scope) : assert.fail('not any more')) }]
  await using t = await kernelWith({ plugins, times: { probationMs: 0 } })
  await say(t)
  await update(t, echoPlugin({ version: '2.0.0' }))
  works = false
  const record = await t.kernel.plugins.rollback('echo')
  assert.deepEqual([record.version, record.update?.version, record.held], ['2.0.0', '1.0.0', undefined])
  assert.match(record.update?.failure.message ?? '', /not any more/)
  assert.equal(await say(t), '2.0.0 x')
})

test('what never was, is gone, or is pinned cannot be rolled back to', async () => {
  await using t = await kernelWith({ times: { probationMs: 0 } })
  await assert.rejects(t.kernel.plugins.rollback('echo'), { code: 'VERSION_UNKNOWN', message: /no earlier version/ })
  await say(t)
  await update(t, echoPlugin({ version: '2.0.0' }), broken('3.0.0'))
  await assert.rejects(t.kernel.plugins.rollback('echo', { to: '9.9.9' }), { code: 'VERSION_UNKNOWN', message: /9\.9\.9/ })
  await assert.rejects(t.kernel.plugins.rollback('echo', { to: '3.0.0' }), { code: 'VERSION_UNKNOWN' })
  const digest = (await t.kernel.plugins.history('echo')).find(({ version }) => version === '1.0.0')?.digest ?? ''
  t.source.lose(digest)
  await assert.rejects(t.kernel.plugins.rollback('echo'), { code: 'VERSION_GONE', message: /1\.0\.0/ })
  await t.kernel.plugins.pin('echo', '2.0.0')
  await assert.rejects(t.kernel.plugins.rollback('echo'), { code: 'VERSION_PINNED', message: /2\.0\.0/ })
  assert.equal(await say(t), '2.0.0 x')
})

test('a pinned plugin ignores other versions, also after a restart, until the pin is taken off', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store })
  await say(t)
  const pinned = await t.kernel.plugins.pin('echo', '1.0.0')
  assert.equal(pinned.pinned, '1.0.0')
  await update(t, echoPlugin({ version: '2.0.0' }))
  assert.equal(await say(t), '1.0.0 x')
  await using again = await restart(t, store)
  assert.equal(await say(again), '1.0.0 x')
  assert.equal(again.kernel.plugins.get('echo')?.pinned, '1.0.0')
  const free = await again.kernel.plugins.pin('echo', undefined)
  assert.deepEqual([free.pinned, free.version], [undefined, '2.0.0'])
  assert.equal(await say(again), '2.0.0 x')
})

test('pinning to a version that is kept brings it back; to one that nobody has is refused', async () => {
  await using t = await kernelWith({ times: { probationMs: 0 } })
  await say(t)
  await update(t, echoPlugin({ version: '2.0.0' }))
  await assert.rejects(t.kernel.plugins.pin('echo', '7.0.0'), { code: 'VERSION_GONE' })
  assert.equal(t.kernel.plugins.get('echo')?.pinned, undefined)
  assert.equal((await t.kernel.plugins.pin('echo', '1.0.0')).version, '1.0.0')
  assert.equal(await say(t), '1.0.0 x')
})

test('a plugin whose pinned version nobody has any more says so after a restart', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store, times: { probationMs: 0 } })
  await say(t)
  await t.kernel.plugins.pin('echo', '1.0.0')
  t.source.lose(t.kernel.plugins.get('echo')?.digest ?? '')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await using again = await restart(t, store)
  const state = again.kernel.plugins.get('echo')?.state
  assert.equal(state?.name === 'failed' && state.failure.code, 'VERSION_GONE')
  await assert.rejects(say(again), { code: 'PLUGIN_UNAVAILABLE' })
  await again.kernel.plugins.pin('echo', undefined)
  assert.equal(await say(again), '2.0.0 x')
})

test('a host that ended in the middle of an update to a broken version starts the one that served', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store })
  await say(t)
  t.source.put(broken('2.0.0'))
  await using again = await restart(t, store)
  assert.equal(await say(again), '1.0.0 x')
  const record = again.kernel.plugins.get('echo')
  assert.deepEqual([record?.version, record?.update?.version, record?.held?.why], ['1.0.0', '2.0.0', 'failed'])
  assert.match(record?.update?.failure.message ?? '', /bad 2\.0\.0/)
  await using third = await restart(again, store)
  assert.equal(await say(third), '1.0.0 x')
  assert.equal(third.kernel.plugins.get('echo')?.generation, 1, 'the broken one was not tried')
})

test('a host that ended while it tried a new version in its own process starts the one that served', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store })
  await say(t)
  const [, found] = [t.source.put(echoPlugin({ version: '2.0.0' })), (await t.source.list(new AbortController().signal)).packages]
  const mark = { id: 'demo/echo', version: '2.0.0', fingerprint: found[0]?.fingerprint, atMs: 0 }
  await store.set('kernel', 'starting/demo/echo', JSON.stringify(mark))
  await using again = await restart(t, store)
  assert.equal(await say(again), '1.0.0 x')
  const record = again.kernel.plugins.get('echo')
  assert.deepEqual([record?.version, record?.update?.version, record?.held?.why], ['1.0.0', '2.0.0', 'failed'])
  await using third = await restart(again, store)
  assert.equal(await say(third), '2.0.0 x', 'a suspicion lasts as long as one host')
})

test('when neither version starts the record tells of the newer one', async () => {
  const store = memoryStore()
  let works = true
  const first = echoPlugin({ version: '1.0.0' })
  await using t = await kernelWith({
    store,
    plugins: [{ ...first, setup: (scope: Scope) => (works ? first.setup?.(scope) : assert.fail('nothing works')) }],
  })
  await say(t)
  works = false
  t.source.put(broken('2.0.0'))
  await using again = await restart(t, store)
  await assert.rejects(say(again), { code: 'PLUGIN_UNAVAILABLE', message: /bad 2\.0\.0/ })
  const record = again.kernel.plugins.get('echo')
  assert.deepEqual([record?.state.name, record?.version, record?.held], ['failed', '2.0.0', undefined])
})

test('a version that failed for want of a setting is tried again at the next start', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store })
  await say(t)
  const config = { type: 'object', required: ['token'], properties: { token: { type: 'string' } } }
  await update(t, echoPlugin({ version: '2.0.0', manifest: { config } }))
  assert.equal(t.kernel.plugins.get('echo')?.update?.failure.code, 'CONFIG_INVALID')
  assert.equal(await say(t), '1.0.0 x')
  await t.kernel[Symbol.asyncDispose]()
  const settings = (): { config: unknown } => ({ config: { token: 'here' } })
  await using again = await kernelWith({ store, plugins: [], sources: [t.source], settings })
  assert.equal(await say(again), '2.0.0 x')
})

test('a removed plugin is forgotten: its history, its pin, what was held', async () => {
  const store = memoryStore()
  await using t = await kernelWith({ store })
  await say(t)
  await update(t, echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.rollback('echo')
  await t.kernel.plugins.pin('echo', '1.0.0')
  await t.kernel.plugins.remove('echo')
  assert.deepEqual((await t.kernel.plugins.refresh()).added, [], 'until its source changes')
  t.source.put(echoPlugin({ version: '2.0.1' }))
  await t.kernel.plugins.refresh()
  assert.deepEqual(await t.kernel.plugins.history('echo'), [])
  const record = t.kernel.plugins.get('echo')
  assert.deepEqual([record?.version, record?.pinned, record?.held], ['2.0.1', undefined, undefined])
})
