import assert from 'node:assert/strict'
import { test } from 'node:test'
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
