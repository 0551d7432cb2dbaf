import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { inlineSource, testKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import { memoryStore } from '../index.ts'

test('a plugin is found by id, or by its bare name when only one has it', async () => {
  await using t = await testKernel({
    plugins: [{ manifest: { id: 'a/disk' } }, { manifest: { id: 'b/disk' } }, { manifest: { id: 'b/net' } }],
  })
  assert.equal(t.kernel.plugins.get('net')?.id, 'b/net')
  assert.equal(t.kernel.plugins.get('a/disk')?.id, 'a/disk')
  assert.equal(t.kernel.plugins.get('gone'), undefined)
  assert.throws(() => t.kernel.plugins.get('disk'), { code: 'PLUGIN_AMBIGUOUS', message: /a\/disk, b\/disk/ })
  await assert.rejects(t.kernel.plugins.reload('b/nett'), { code: 'PLUGIN_UNKNOWN', message: /did you mean "b\/net"/ })
  assert.deepEqual(
    t.kernel.plugins.list().map(({ id }) => id),
    ['a/disk', 'b/disk', 'b/net'],
  )
})

test('switched off, a plugin drains, refuses calls with the reason and stays off over a restart, until switched on', async () => {
  const store = memoryStore()
  {
    await using t = await testKernel({ points, plugins: [echoPlugin()], store })
    await t.kernel.provider(echo, 'echo').say('x')
    const record = await t.kernel.plugins.disable('echo', 'under repair')
    assert.deepEqual(record.state, { name: 'disabled', reason: 'under repair' })
    assert.equal(t.runtime.running().length, 0)
    await assert.rejects(t.kernel.provider(echo, 'echo').say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /under repair/ })
    await assert.rejects(t.kernel.lease(echo, 'echo'), { code: 'PLUGIN_UNAVAILABLE' })
    assert.equal((await t.kernel.plugins.start('echo')).state.name, 'disabled')
  }
  await using t = await testKernel({ points, plugins: [echoPlugin()], store })
  assert.deepEqual(t.kernel.plugins.get('echo')?.state, { name: 'disabled', reason: 'under repair' })
  assert.equal((await t.kernel.plugins.enable('echo')).state.name, 'idle')
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '1.0.0 x')
  await using after = await testKernel({ points, plugins: [echoPlugin()], store })
  assert.equal(after.kernel.plugins.get('echo')?.state.name, 'idle')
})

test('a dependent of a plugin that is switched off cannot run meanwhile, and says so', async () => {
  const top = { manifest: { id: 'a/top', dependencies: [{ id: 'demo/echo', range: '*' }] } }
  await using t = await testKernel({ points, plugins: [echoPlugin(), top] })
  await t.kernel.plugins.disable('echo', 'under repair')
  const { state } = t.kernel.plugins.get('top') ?? {}
  assert.match(state?.name === 'failed' ? state.failure.message : '', /a\/top needs demo\/echo, .*under repair/)
  await t.kernel.plugins.enable('echo')
  assert.equal(t.kernel.plugins.get('top')?.state.name, 'idle')
})

test('enabling an eager plugin starts it', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin({ manifest: { activation: 'eager' } })] })
  await t.kernel.plugins.disable('echo')
  assert.equal((await t.kernel.plugins.enable('echo')).state.name, 'active')
})

test('removed by hand, a plugin stays away until its source changes', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  await t.kernel.plugins.remove('echo')
  assert.deepEqual((await t.kernel.plugins.refresh()).added, [])
  assert.deepEqual(t.kernel.plugins.list(), [])
  await assert.rejects(t.kernel.provider(echo, 'echo').say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /it was removed/ })
  t.source.put(echoPlugin({ version: '2.0.0' }))
  assert.deepEqual((await t.kernel.plugins.refresh()).added, ['demo/echo'])
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '2.0.0 x')
})

test('a refresh says what it did', async () => {
  await using t = await testKernel({
    points,
    plugins: [echoPlugin({ id: 'a/one' }), echoPlugin({ id: 'a/two' }), echoPlugin({ id: 'a/three' })],
  })
  t.source.put(echoPlugin({ id: 'a/two', version: '2.0.0' }), echoPlugin({ id: 'a/four', manifest: { nonsense: 1 } as never }))
  t.source.take('a/three')
  const report = await t.kernel.plugins.refresh()
  assert.deepEqual(report, { added: ['a/four'], updated: ['a/two'], removed: ['a/three'], unchanged: 1, failed: ['a/four'] })
})

test('a hint of a source, and time alone, lead to a refresh; several hints are one', async () => {
  await using t = await testKernel({ points, watch: true, times: { rescanMs: 60_000 } })
  let listed = 0
  const { list } = t.source
  Object.assign(t.source, { list: (signal: AbortSignal) => ((listed += 1), list(signal)) })
  t.source.put(echoPlugin())
  for (let hint = 0; hint < 10; hint += 1) t.source.hint()
  await t.clock.advance(50)
  assert.equal(listed, 1)
  assert.equal(t.kernel.plugins.get('echo')?.version, '1.0.0')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.clock.advance(60_000)
  assert.equal(t.kernel.plugins.get('echo')?.version, '2.0.0')
})

test('a plugin that takes long to start does not keep others from being listed', async () => {
  const slow = Promise.withResolvers<void>()
  await using t = await testKernel({ points })
  t.source.put({ ...echoPlugin({ id: 'a/slow', manifest: { activation: 'eager' } }), setup: () => slow.promise })
  const first = t.kernel.plugins.refresh()
  await setImmediate()
  t.source.put(echoPlugin())
  void t.kernel.plugins.refresh()
  await t.event('plugin.changed', ({ plugin, to }) => plugin === 'demo/echo' && to === 'idle')
  slow.resolve()
  assert.deepEqual((await first).failed, ['a/slow'])
})

test('a kernel told not to watch leaves the sources alone', async () => {
  let watched = 0
  const source = inlineSource()
  const watching = { ...source, watch: () => ((watched += 1), { [Symbol.asyncDispose]: async () => undefined }) }
  await using _quiet = await testKernel({ sources: [watching], watch: false })
  assert.equal(watched, 0)
  await using _loud = await testKernel({ sources: [watching], watch: true })
  assert.equal(watched, 1)
})

test('who cancels a refresh stops waiting for it; the refresh goes on', async () => {
  const slow = Promise.withResolvers<void>()
  await using t = await testKernel({ points })
  t.source.put({
    ...echoPlugin({ manifest: { activation: 'eager' } }),
    setup: async (scope) => (await slow.promise, echoPlugin().setup?.(scope)),
  })
  const abort = new AbortController()
  const refused = assert.rejects(t.kernel.plugins.refresh(abort.signal), { name: 'AbortError' })
  await t.event('plugin.changed', ({ to }) => to === 'starting')
  abort.abort()
  await refused
  slow.resolve()
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await assert.rejects(t.kernel.plugins.refresh(abort.signal), { name: 'AbortError' })
})
