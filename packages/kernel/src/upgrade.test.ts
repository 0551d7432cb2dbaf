import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import type { Call } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points, type EchoParts } from './fixtures/demo-points.ts'

const kernelWith = (parts: EchoParts, options = {}): Promise<TestKernel> =>
  testKernel({ points, plugins: [echoPlugin(parts)], ...options })
test('hundreds of updates under constant load: not one call fails, and each is answered by one version', async () => {
  await using t = await kernelWith({ version: '1.0.0' })
  const client = t.kernel.provider(echo, 'echo')
  const over = new AbortController()
  let answered = 0
  const failures: unknown[] = []
  const load = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await client.say('x').then(
        () => (answered += 1),
        (error: unknown) => failures.push(error),
      )
      await setImmediate()
    }
  }
  const streams = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const items: number[] = []
      for await (const item of client.count(3)) {
        items.push(item)
        await setImmediate()
      }
      assert.deepEqual(items, [1, 2, 3])
    }
  }
  const loads = [...Array.from({ length: 8 }, load), streams(), streams()]
  for (let version = 2; version <= 300; version += 1) {
    t.source.put(echoPlugin({ version: `${version}.0.0` }))
    const report = await t.kernel.plugins.refresh()
    assert.deepEqual(report.updated, ['demo/echo'])
    assert.deepEqual(report.failed, [])
  }
  over.abort()
  await Promise.all(loads)
  assert.deepEqual(failures, [])
  assert.ok(answered > 300)
  assert.equal(await client.say('x'), '300.0.0 x')
  const record = t.kernel.plugins.get('echo')
  assert.equal(record?.generation, 300)
  assert.equal(record.counters.errors, 0)
  while ((t.kernel.plugins.get('echo')?.draining.length ?? 0) > 0) await setImmediate()
  assert.equal(t.runtime.running().length, 1)
})

test('first calls that are still on their way when their generation is replaced or removed go where calls go then', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  const first = client.say('x')
  await t.event('plugin.changed', ({ to }) => to === 'active')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.reload('echo')
  assert.match(await first, /[12]\.0\.0 x/)
  await t.kernel.plugins.disable('echo')
  await t.kernel.plugins.enable('echo')
  const last = client.say('x').catch((error: { code: string }) => error.code)
  await t.event('plugin.changed', ({ to, generation }) => to === 'active' && generation === 3)
  t.source.take('demo/echo')
  await t.kernel.plugins.refresh()
  assert.match(await last, /2\.0\.0 x|PLUGIN_UNAVAILABLE/)
})

test('a call ends on the generation it began on, while new calls see the new one', async () => {
  const release = Promise.withResolvers<string>()
  await using t = await kernelWith({ say: () => release.promise })
  const client = t.kernel.provider(echo, 'echo')
  const old = client.say('x')
  await t.event('plugin.changed', ({ to }) => to === 'active')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  assert.equal(await client.say('y'), '2.0.0 y')
  const [draining] = t.kernel.plugins.get('echo')?.draining ?? []
  assert.deepEqual([draining?.generation, draining?.version, draining?.calls], [1, '1.0.0', 1])
  release.resolve('from one')
  assert.equal(await old, 'from one')
  const drained = await t.event('plugin.drained')
  assert.deepEqual([drained.generation, drained.aborted], [1, 0])
})

test('what does not finish in the drain time is aborted with the reason, and its signal says so', async () => {
  const seen = Promise.withResolvers<Call>()
  const say = (_: string, call: Call): Promise<never> => {
    call.signal.addEventListener('abort', () => seen.resolve(call))
    return new Promise(() => undefined)
  }
  await using t = await kernelWith({ say }, { times: { drainMs: 500 } })
  const old = t.kernel.provider(echo, 'echo').say('x')
  await t.event('plugin.changed', ({ to }) => to === 'active')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  const refused = assert.rejects(old, { code: 'CALL_DRAINED', message: /generation 2 \(2\.0\.0\) took over.* 500 ms/ })
  await t.clock.advance(500)
  await refused
  assert.ok((await seen.promise).signal.aborted)
  assert.equal((await t.event('plugin.drained')).aborted, 1)
})

test('a new version that cannot take over leaves the old one serving, and the record says why', async () => {
  const broken: [InlinePlugin, RegExp, string][] = [
    [{ ...echoPlugin({ version: '2.0.0' }), setup: () => assert.fail('bad v2') }, /bad v2/, 'start'],
    [echoPlugin({ version: '2.0.0', manifest: { requires: { api: '^9.0.0' } } }), /needs API/, 'check'],
    [echoPlugin({ version: '2.0.0', manifest: { nonsense: true } as never }), /nonsense is not a known key/, 'check'],
    [echoPlugin({ version: '2.0.0', manifest: { dependencies: [{ id: 'no/where', range: '*' }] } }), /no\/where/, 'resolve'],
    [{ ...echoPlugin({ version: '2.0.0' }), setup: () => undefined }, /did not register it/, 'start'],
  ]
  for (const [plugin, message, stage] of broken) {
    await using t = await kernelWith({})
    const client = t.kernel.provider(echo, 'echo')
    await client.say('x')
    t.source.put(plugin)
    const report = await t.kernel.plugins.refresh()
    assert.deepEqual([report.updated, report.failed], [['demo/echo'], ['demo/echo']])
    const record = t.kernel.plugins.get('echo')
    assert.deepEqual([record?.state.name, record?.version], ['active', '1.0.0'])
    assert.equal(record?.update?.version, '2.0.0')
    assert.equal(record.update.failure.stage, stage)
    assert.match(record.update.failure.message, message)
    assert.equal(await client.say('x'), '1.0.0 x')
    assert.equal((await t.event('plugin.update-failed')).version, '2.0.0')
    assert.deepEqual((await t.kernel.plugins.refresh()).updated, [], 'it is not tried again by itself')
    t.source.put(echoPlugin({ version: '3.0.0' }))
    await t.kernel.plugins.refresh()
    assert.equal(await client.say('x'), '3.0.0 x')
    assert.equal(t.kernel.plugins.get('echo')?.update, undefined)
  }
})

test('a package that cannot be read any more stands for the plugin at its path: the old version serves on', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  await client.say('x')
  t.source.putProblem({ path: '/inline/demo/echo', error: { code: 'SOURCE_JSON_INVALID', message: 'line 1', retryable: false } })
  await t.kernel.plugins.refresh()
  assert.equal(await client.say('x'), '1.0.0 x')
  assert.equal(t.kernel.plugins.get('echo')?.update?.failure.code, 'SOURCE_JSON_INVALID')
  assert.equal(t.kernel.plugins.list().length, 1)
})

test('a plugin that went down after a failed update starts again from the version that worked', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  await client.say('x')
  t.source.put({ ...echoPlugin({ version: '2.0.0' }), setup: () => assert.fail('bad v2') })
  await t.kernel.plugins.refresh()
  t.runtime.crash('demo/echo')
  await t.event('plugin.exited')
  assert.equal(await client.say('x'), '1.0.0 x')
})

test('a source that cannot be listed keeps what it had', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  await client.say('x')
  Object.assign(t.source, { list: () => Promise.reject(new Error('disk gone')) })
  const report = await t.kernel.plugins.refresh()
  assert.deepEqual([report.removed, report.unchanged], [[], 1])
  assert.equal(await client.say('x'), '1.0.0 x')
  assert.match(t.lines.at(-1)?.message ?? '', /source inline cannot be listed: disk gone/)
})

test('of updates that come faster than plugins start only the newest is started', async () => {
  const slow = Promise.withResolvers<void>()
  await using t = await kernelWith({})
  await t.kernel.provider(echo, 'echo').say('x')
  t.source.put({
    ...echoPlugin({ version: '2.0.0' }),
    setup: async (scope) => (await slow.promise, echoPlugin({ version: '2.0.0' }).setup?.(scope)),
  })
  const reports = [t.kernel.plugins.refresh()]
  await setImmediate()
  let skipped = 0
  for (const version of ['3.0.0', '4.0.0']) {
    const plugin = echoPlugin({ version })
    t.source.put({ ...plugin, setup: (scope) => ((skipped += version === '3.0.0' ? 1 : 0), plugin.setup?.(scope)) })
    reports.push(t.kernel.plugins.refresh())
    await setImmediate()
  }
  slow.resolve()
  await Promise.all(reports)
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '4.0.0 x')
  assert.equal(skipped, 0)
})

test('reload starts a fresh generation even when nothing changed, and puts a rejected one to the test again', async () => {
  let isBroken = true
  await using t = await kernelWith({})
  await t.kernel.provider(echo, 'echo').say('x')
  assert.equal((await t.kernel.plugins.reload('echo')).generation, 2)
  const second = echoPlugin({ version: '2.0.0' })
  t.source.put({ ...second, setup: (scope) => (isBroken ? assert.fail('not yet') : second.setup?.(scope)) })
  await t.kernel.plugins.refresh()
  assert.equal((await t.kernel.plugins.reload('echo')).update?.failure.message, 'not yet')
  isBroken = false
  const record = await t.kernel.plugins.reload('echo')
  assert.deepEqual([record.version, record.update], ['2.0.0', undefined])
})
