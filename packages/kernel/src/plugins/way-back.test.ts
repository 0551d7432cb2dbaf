import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '@backplane/sdk'
import { inlineSource, testKernel, type TestKernel } from '@backplane/testing'
import { memoryStore } from '../index.ts'
import { PluginDirectories } from './plugin-directories.ts'
import { PluginStates } from './plugin-states.ts'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')
test('an update takes over also from a version that ended up in quarantine meanwhile', async () => {
  const gate = Promise.withResolvers<void>()
  const proving = Promise.withResolvers<void>()
  const update = echoPlugin({ version: '2.0.0' })
  await using t = await testKernel({ points, plugins: [echoPlugin()], supervision: { crashes: 1 } })
  await say(t)
  t.source.put({
    ...update,
    setup: async (scope) => {
      await update.setup?.(scope)
      proving.resolve()
      await gate.promise
    },
  })
  const refreshed = t.kernel.plugins.refresh()
  await proving.promise
  t.runtime.crash('demo/echo', undefined, 1)
  await t.event('plugin.changed', ({ to }) => to === 'quarantined')
  gate.resolve()
  await refreshed
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
  assert.equal(await say(t), '2.0.0 x')
})

test('a version that is released from quarantine takes the place of the one that served instead of it', async () => {
  const store = memoryStore()
  const source = inlineSource([echoPlugin()])
  {
    await using t = await testKernel({ points, sources: [source], store })
    await say(t)
  }
  source.put(echoPlugin({ version: '2.0.0', manifest: {} }))
  const mark = { id: 'demo/echo', version: '2.0.0', fingerprint: 'revision 2', atMs: 0 }
  await store.set('kernel', 'starting/demo/echo', JSON.stringify(mark))
  await using again = await testKernel({ points, sources: [source], store })
  assert.equal(await say(again), '1.0.0 x')
  await again.kernel.plugins.release('echo')
  assert.equal(await say(again), '2.0.0 x')
  assert.equal(again.kernel.plugins.get('echo')?.held, undefined)
})

test('a choice that is kept and cannot be read keeps no host from starting', async () => {
  const store = memoryStore()
  await store.set('kernel', 'hold/demo/echo', '{"why":')
  await store.set('kernel', 'history/demo/echo', '{}')
  await using t = await testKernel({ points, plugins: [echoPlugin()], store })
  assert.equal(await say(t), '1.0.0 x')
  assert.equal((await t.kernel.plugins.history('echo')).length, 1)
})

test('bytes that are asked for again, to pin or to go back, are given back when nothing runs from them', async () => {
  let held = 0
  const inline = inlineSource([echoPlugin()])
  const source: typeof inline = {
    ...inline,
    recall: async (digest, signal) => {
      const recalled = await inline.recall?.(digest, signal)
      if (recalled === undefined) return undefined
      held += 1
      const release = async (): Promise<void> => void (held -= 1)
      return { ...recalled, staged: { ...recalled.staged, release } }
    },
  }
  await using t = await testKernel({ points, sources: [source] })
  await say(t)
  for (const version of ['2.0.0', '3.0.0']) {
    source.put(echoPlugin({ version }))
    await t.kernel.plugins.refresh()
  }
  await t.kernel.plugins.pin('echo', '1.0.0')
  assert.equal(await say(t), '1.0.0 x')
  assert.equal(held, 1)
  await t.kernel.plugins.pin('echo', undefined)
  await t.kernel.plugins.rollback('echo', { to: '2.0.0' })
  assert.equal(await say(t), '2.0.0 x')
  await t.kernel.plugins.disable('echo')
  assert.equal(held, 1)
  await t.kernel[Symbol.asyncDispose]()
  assert.equal(held, 0)
})

test('a store that cannot be written lets nobody who writes wait for ever', async () => {
  const kept = memoryStore()
  let isFull = false
  const store: typeof kept = {
    ...kept,
    get: (...given) => kept.get(...given),
    keys: (...given) => kept.keys(...given),
    clear: (...given) => kept.clear(...given),
    delete: (...given) => kept.delete(...given),
    set: async (...given) => (isFull ? assert.fail('no space left') : kept.set(...given)),
  }
  await using directories = new PluginDirectories(undefined)
  const states = new PluginStates(store, directories, { write: () => undefined })
  const { slot } = await states.prepare('demo/echo', 1)
  const newer = await states.prepare('demo/echo', 2)
  await newer.commit()
  isFull = true
  await assert.rejects(newer.discard(), /no space left/)
  await slot.write(async () => undefined)
})

test('why a version should have been moved back is told also when it cannot be', async () => {
  let starts = 0
  const first = echoPlugin()
  const failsLater = {
    ...first,
    setup: (scope: Scope) => ((starts += 1), starts > 1 ? assert.fail('gone bad') : first.setup?.(scope)),
  }
  await using t = await testKernel({ points, plugins: [failsLater], times: { probationMs: 60_000 } })
  await say(t)
  t.source.put(echoPlugin({ version: '2.0.0', say: () => 42 }))
  await t.kernel.plugins.refresh()
  t.runtime.crash('demo/echo', undefined, 1)
  await t.event('plugin.exited')
  await Promise.allSettled(Array.from({ length: 5 }, () => say(t)))
  await t.event('plugin.update-failed')
  // after whatever is under way
  assert.equal((await t.kernel.plugins.disable('echo')).version, '2.0.0')
  assert.ok(t.lines.some(({ message }) => /cannot be moved back.* 5 of 5 calls failed/.test(message)))
})

test('removed by hand and changed since, a plugin may come back as it was', async () => {
  await using t = await testKernel({ points, plugins: [{ ...echoPlugin(), fingerprint: 'first' }] })
  await t.kernel.plugins.remove('echo')
  assert.deepEqual((await t.kernel.plugins.refresh()).added, [])
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  t.source.put({ ...echoPlugin(), fingerprint: 'first' })
  await t.kernel.plugins.refresh()
  assert.equal(await say(t), '1.0.0 x')
})

test('when both versions have ended the newer one is blamed, which broke, and the older one starts without a mark', async () => {
  await using t = await testKernel({
    points,
    plugins: [echoPlugin()],
    times: { probationMs: 60_000 },
    supervision: { crashes: 1 },
    random: () => 1,
  })
  await say(t)
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  t.runtime.crash('demo/echo', undefined, 1)
  await t.event('plugin.exited')
  t.runtime.crash('demo/echo', undefined, 2)
  await t.event('plugin.moved-back')
  assert.equal(await say(t), '1.0.0 x')
  assert.deepEqual(
    t.events().flatMap((event) => (event.type === 'plugin.changed' && event.to === 'quarantined' ? [event.version] : [])),
    [],
  )
  const { held, update } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([held?.why, held?.against.version, update?.version], ['moved back', '2.0.0', '2.0.0'])
})

test('what is kept and is not of its form is left out, told, and keeps neither a host from starting nor a source from being listed', async () => {
  const bad = ['{}', '[]', '{"why":"failed"}', '{"why":"failed","to":{"version":"1.0.0"},"fingerprint":"f"}', '{"version":1}']
  for (const text of bad) {
    const store = memoryStore()
    const keys = ['hold/demo/echo', 'quarantined/demo/echo', 'starting/demo/echo', 'history/demo/echo']
    for (const key of keys) await store.set('kernel', key, text)
    await using t = await testKernel({ points, plugins: [echoPlugin()], store })
    assert.equal(await say(t), '1.0.0 x', text)
    t.source.put(echoPlugin({ version: '2.0.0' }))
    await t.kernel.plugins.refresh()
    assert.equal(await say(t), '2.0.0 x', text)
    assert.ok(t.lines.some(({ message }) => message.includes('hold/demo/echo')))
  }
})
