import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '@backplane/sdk'
import { testKernel, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points, type EchoParts } from '../fixtures/demo-points.ts'

const kernelWith = (parts: EchoParts): Promise<TestKernel> => testKernel({ points, plugins: [echoPlugin(parts)] })

test('removed from its source: new calls are refused with the reason, running ones finish, then it is forgotten', async () => {
  const release = Promise.withResolvers<string>()
  await using t = await kernelWith({ say: () => release.promise })
  const client = t.kernel.provider(echo, 'echo')
  const running = client.say('x')
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  t.source.take('demo/echo')
  assert.deepEqual((await t.kernel.plugins.refresh()).removed, ['demo/echo'])
  const refusal = { code: 'PLUGIN_UNAVAILABLE', message: /it was removed from inline/ }
  await assert.rejects(client.say('y'), refusal)
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'draining')
  release.resolve('finished')
  assert.equal(await running, 'finished')
  await t.event('plugin.removed')
  assert.equal(t.kernel.plugins.get('echo'), undefined)
  await assert.rejects(client.say('z'), refusal)
  t.source.put(echoPlugin({ version: '4.0.0' }))
  assert.deepEqual((await t.kernel.plugins.refresh()).added, ['demo/echo'])
  assert.equal(await client.say('z'), '4.0.0 z')
})

test('a plugin that comes back while the old one still works is there at once; the old work ends where it began', async () => {
  const release = Promise.withResolvers<string>()
  await using t = await kernelWith({ say: () => release.promise })
  const client = t.kernel.provider(echo, 'echo')
  const running = client.say('x')
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  t.source.take('demo/echo')
  await t.kernel.plugins.refresh()
  assert.deepEqual((await t.kernel.plugins.refresh()).removed, [], 'it is removed once')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  assert.deepEqual((await t.kernel.plugins.refresh()).added, ['demo/echo'])
  assert.equal(await client.say('x'), '2.0.0 x')
  release.resolve('finished')
  assert.equal(await running, 'finished')
  await t.event('plugin.drained')
  await t.clock.advance(1)
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
  assert.equal(t.events().filter(({ type }) => type === 'plugin.removed').length, 0)
})

test('a plugin with a long job is switched off and on again without waiting for the job', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  const lease = await t.kernel.lease(echo, 'echo')
  const disabled = t.kernel.plugins.disable('echo', 'a moment')
  await t.event('plugin.changed', ({ to }) => to === 'draining')
  await assert.rejects(client.say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /a moment/ })
  assert.equal(await lease.handle.say('job'), '1.0.0 job')
  assert.equal((await t.kernel.plugins.enable('echo')).state.name, 'idle')
  assert.equal(await client.say('x'), '1.0.0 x')
  assert.equal(await lease.handle.say('job'), '1.0.0 job')
  await lease[Symbol.asyncDispose]()
  assert.equal((await disabled).state.name, 'active')
})

test('a plugin that comes back while it was on its way out keeps what it stored', async () => {
  let scope: Scope | undefined
  const release = Promise.withResolvers<string>()
  const called = Promise.withResolvers<void>()
  const first = echoPlugin({ say: () => (called.resolve(), release.promise) })
  const second = echoPlugin({ version: '2.0.0' })
  await using t = await testKernel({ points, plugins: [first] })
  const running = t.kernel.provider(echo, 'echo').say('x')
  await called.promise
  const removing = t.kernel.plugins.remove('echo')
  await t.event('plugin.changed', ({ to }) => to === 'draining')
  t.source.put({
    ...second,
    setup: (given) => {
      scope = given
      return second.setup?.(given)
    },
  })
  await t.kernel.plugins.refresh()
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '2.0.0 x')
  await scope?.state.set('kept', 'value')
  release.resolve('over')
  await Promise.all([running, removing])
  assert.equal(await scope?.state.get('kept'), 'value')
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '2.0.0 x')
})

test('a plugin that is switched off while its update proves itself gives its names free', async () => {
  const gate = Promise.withResolvers<void>()
  const proving = Promise.withResolvers<void>()
  const update = echoPlugin({ version: '2.0.0' })
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  await t.kernel.provider(echo, 'echo').say('x')
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
  const off = t.kernel.plugins.disable('echo')
  gate.resolve()
  await Promise.all([refreshed, off])
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'disabled')
  t.source.put(echoPlugin({ id: 'demo/other', name: 'echo', version: '7.0.0' }))
  await t.kernel.plugins.refresh()
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '7.0.0 x')
})
