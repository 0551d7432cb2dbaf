import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '@backplane/sdk'
import {
  inlineSource,
  testKernel,
  type InlinePlugin,
  type InlineSource,
  type TestKernel,
  type TestKernelOptions,
} from '@backplane/testing'
import { memoryStore, type Store } from '../index.ts'
import { echo, echoPlugin, points, type EchoParts } from '../fixtures/demo-points.ts'

const windowMs = 60_000
const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')
const kept = (store: Store): Promise<readonly string[]> => store.keys('kernel', 'probation/')

interface Subject {
  readonly store: Store
  readonly source: InlineSource
  readonly start: (options?: TestKernelOptions) => Promise<TestKernel>
}

/** A host in which 2.0.0 has taken over from 1.0.0 a moment ago, and has ended since. */
async function afterAnUpdate(
  newer: Omit<EchoParts, 'version'> | InlinePlugin = {},
  end = true,
): Promise<Subject & { t: TestKernel }> {
  const store = memoryStore()
  const source = inlineSource([echoPlugin()])
  const start: Subject['start'] = (options = {}) =>
    testKernel({ points, sources: [source], store, times: { probationMs: windowMs }, ...options })
  const t = await start()
  for (let call = 0; call < 20; call += 1) await say(t)
  source.put('setup' in newer ? newer : echoPlugin({ ...newer, version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  if (end) await t.kernel[Symbol.asyncDispose]()
  return { store, source, start, t }
}

async function assertMovedBack(t: TestKernel, store: Store, reason: string): Promise<void> {
  const moved = await t.event('plugin.moved-back')
  assert.deepEqual([moved.from, moved.to, moved.reason], ['2.0.0', '1.0.0', reason])
  assert.equal(await say(t), '1.0.0 x')
  const { held, update, probation, state } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([state?.name, held?.why, held?.against.version], ['active', 'moved back', '2.0.0'])
  assert.deepEqual([update?.failure.code, probation], ['UPDATE_MOVED_BACK', undefined])
  const outcomes = (await t.kernel.plugins.history('echo')).map(({ version, outcome }) => `${version} ${outcome}`)
  assert.deepEqual(outcomes, ['1.0.0 serving', '2.0.0 moved back', '1.0.0 replaced'])
  assert.deepEqual(await kept(store), [])
}

test('a version that is on probation when the host ends is watched again by the next host, and proves itself there', async () => {
  const { start, store } = await afterAnUpdate()
  assert.deepEqual(await kept(store), ['probation/demo/echo'])
  await using t = await start()
  assert.equal(await say(t), '2.0.0 x')
  const { probation } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([probation?.generation, probation?.version], [undefined, '1.0.0'])
  await t.clock.advance(windowMs)
  await t.event('plugin.proved')
  assert.deepEqual(await kept(store), [])
  t.runtime.crash('demo/echo')
  await t.event('plugin.exited')
  assert.equal(await say(t), '2.0.0 x', 'an end is only an end again')
  await t.kernel[Symbol.asyncDispose]()
  await using third = await start()
  assert.equal(await say(third), '2.0.0 x')
  assert.equal(third.kernel.plugins.get('echo')?.probation, undefined)
})

test('a version that ends in the probation it brought along from an earlier host is moved back', async () => {
  const { start, store } = await afterAnUpdate()
  await using t = await start()
  await say(t)
  t.runtime.crash('demo/echo')
  await assertMovedBack(t, store, 'ended')
})

test('a version that answers wrongly after a restart is moved back by what the one before it did', async () => {
  let isWrong = false
  const { start, store } = await afterAnUpdate({ say: (value) => (isWrong ? 42 : `2.0.0 ${value}`) })
  await using t = await start()
  await say(t)
  isWrong = true
  for (let call = 0; call < 5; call += 1) await assert.rejects(say(t), { code: 'CALL_OUTPUT_INVALID' })
  const { evidence } = await t.event('plugin.moved-back')
  assert.match(evidence, /5 of 6 calls failed .*; of the version before 0\.0 % did/)
  await assertMovedBack(t, store, 'faults')
})

test('a version on probation that does not start any more after a restart is moved back', async () => {
  let works = true
  const newer = echoPlugin({ version: '2.0.0' })
  const setup = (scope: Scope): void | Promise<void> => (works ? newer.setup?.(scope) : assert.fail('not any more'))
  const { start, store } = await afterAnUpdate({ ...newer, setup })
  works = false
  await using t = await start()
  assert.equal(await say(t), '1.0.0 x')
  await assertMovedBack(t, store, 'ended')
})

test('what the host was started without, switched off or took off again meanwhile is watched when it serves again', async () => {
  const { t, store } = await afterAnUpdate({}, false)
  await using _ = t
  await t.kernel.plugins.disable('echo')
  assert.deepEqual(await kept(store), ['probation/demo/echo'])
  await t.kernel.plugins.enable('echo')
  assert.equal(await say(t), '2.0.0 x')
  t.runtime.crash('demo/echo')
  await assertMovedBack(t, store, 'ended')
})

test('another version, a decision by hand, and a removal end a probation that was brought along', async () => {
  const next = await afterAnUpdate()
  next.source.put(echoPlugin({ version: '3.0.0' }))
  {
    await using t = await next.start()
    assert.equal(await say(t), '3.0.0 x')
    assert.deepEqual([t.kernel.plugins.get('echo')?.probation, await kept(next.store)], [undefined, []])
  }
  const pinned = await afterAnUpdate()
  {
    await using t = await pinned.start()
    await t.kernel.plugins.pin('echo', '2.0.0')
    await say(t)
    assert.equal(t.kernel.plugins.get('echo')?.probation, undefined)
  }
  const removed = await afterAnUpdate()
  await using t = await removed.start()
  await t.kernel.plugins.remove('echo')
  assert.deepEqual(await kept(removed.store), [])
})

test('a probation that is kept and not of its form keeps nobody from serving', async () => {
  const store = memoryStore()
  await store.set('kernel', 'probation/demo/echo', '{"newer":{}}')
  await using t = await testKernel({ points, plugins: [echoPlugin()], store })
  assert.equal(await say(t), '1.0.0 x')
})

test('where nothing is left of the version before, the new one goes on, and that it should not is told', async () => {
  const { start, store, source } = await afterAnUpdate()
  await using t = await start()
  await say(t)
  const [, older] = await t.kernel.plugins.history('echo')
  source.lose(older?.digest ?? '')
  t.runtime.crash('demo/echo')
  await t.event('plugin.exited')
  assert.equal(await say(t), '2.0.0 x')
  assert.ok(
    t.lines.some(({ message }) => /cannot be moved back \(nothing is left of the version before\).*SIGKILL/.test(message)),
  )
  assert.deepEqual(await kept(store), [])
  assert.equal(t.kernel.plugins.get('echo')?.probation, undefined)
})

test('a version that takes over while the one before it is moved back is compared with, and goes back to, what serves then', async () => {
  const inner = memoryStore()
  const written = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  let isHeld = false
  const store: Store = {
    ...inner,
    set: async (...given) => {
      if (isHeld && given[1].startsWith('probation/')) {
        written.resolve()
        await gate.promise
      }
      await inner.set(...given)
    },
  }
  await using t = await testKernel({ points, plugins: [echoPlugin()], store, times: { probationMs: windowMs } })
  await say(t)
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  isHeld = true
  t.source.put(echoPlugin({ version: '3.0.0' }))
  const refreshed = t.kernel.plugins.refresh()
  await written.promise
  t.runtime.crash('demo/echo', undefined, 2)
  await t.event('plugin.moved-back')
  gate.resolve()
  await refreshed
  assert.equal(await say(t), '3.0.0 x')
  assert.equal(t.kernel.plugins.get('echo')?.probation?.version, '1.0.0')
  t.runtime.crash('demo/echo', undefined, 3)
  await t.event('plugin.moved-back', ({ from }) => from === '3.0.0')
  assert.equal(await say(t), '1.0.0 x')
})

test('an update that fails leaves the probation of the version it was to replace as it was', async () => {
  const { t, store } = await afterAnUpdate({}, false)
  await using _ = t
  const [before] = await Promise.all((await kept(store)).map((key) => store.get('kernel', key)))
  t.source.put({ ...echoPlugin({ version: '3.0.0' }), setup: () => assert.fail('bad') })
  await t.kernel.plugins.refresh()
  assert.equal(await store.get('kernel', 'probation/demo/echo'), before)
  t.runtime.crash('demo/echo', undefined, 2)
  await assertMovedBackFrom(t, '2.0.0')
})

async function assertMovedBackFrom(t: TestKernel, version: string): Promise<void> {
  assert.equal((await t.event('plugin.moved-back')).from, version)
  assert.equal(await say(t), '1.0.0 x')
}
