import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel, type InlinePlugin } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

test('calls too many for an older generation, which a lease holds, are not the newer one’s fault', async () => {
  const gate = Promise.withResolvers<string>()
  const say = (value: string): unknown => (value === 'wait' ? gate.promise : value)
  await using t = await testKernel({
    points,
    plugins: [echoPlugin({ say })],
    limits: { concurrency: 1, queue: 0 },
    onLimit: { concurrency: 'restart' },
  })
  const lease = await t.kernel.lease(echo, 'echo')
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  const waiting = lease.handle.say('wait').catch(() => undefined)
  await assert.rejects(lease.handle.say('x'), { code: 'CALL_QUEUE_FULL' })
  const { generation, action } = await t.event('limit.exceeded')
  assert.deepEqual([generation, action], [1, 'restart'])
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '2.0.0 x')
  const { state } = t.kernel.plugins.get('echo') ?? {}
  assert.equal(state?.name === 'active' && state.generation, 2)
  gate.resolve('')
  await waiting
  await lease[Symbol.asyncDispose]()
})

test('of a group that has as many calls as it may, whoever has the most is over the limit, not whoever comes next', async () => {
  const gate = Promise.withResolvers<string>()
  const busy: InlinePlugin = echoPlugin({ id: 'demo/busy', say: () => gate.promise })
  await using t = await testKernel({
    points,
    plugins: [busy, echoPlugin()],
    namespaces: { all: { plugins: ['demo/*'], limits: { concurrency: 2 } } },
    onLimit: { concurrency: 'quarantine' },
  })
  for (const id of ['demo/echo', 'demo/busy']) await t.kernel.plugins.start(id)
  const client = t.kernel.provider(echo, 'busy')
  const calls = [client.say('x'), client.say('x')].map((call) => call.catch(() => undefined))
  await t.clock.advance(1)
  await assert.rejects(t.kernel.provider(echo, 'echo').say('x'), { code: 'NAMESPACE_LIMIT' })
  const { plugin } = await t.event('limit.exceeded')
  assert.equal(plugin, 'demo/busy')
  assert.equal(t.kernel.plugins.get('demo/busy')?.state.name, 'quarantined')
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '1.0.0 x')
  gate.resolve('')
  await Promise.all(calls)
})

test('a flood of calls too many does not read the settings each time', async () => {
  const gate = Promise.withResolvers<string>()
  let reads = 0
  const settings = (): object => ((reads += 1), { onLimit: { concurrency: 'warn' } })
  const plugins = [echoPlugin({ say: () => gate.promise })]
  await using t = await testKernel({ points, plugins, settings, limits: { concurrency: 1, queue: 0 } })
  const client = t.kernel.provider(echo, 'echo')
  await t.kernel.plugins.start('echo')
  const first = client.say('x')
  const before = reads
  await Promise.allSettled(Array.from({ length: 50 }, () => client.say('x')))
  assert.equal(t.kernel.plugins.get('echo')?.violations.concurrency, 50)
  assert.ok(reads <= before + 1, `${reads - before} reads`)
  gate.resolve('x')
  await first
})
