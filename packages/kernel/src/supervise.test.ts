import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { echo, echoPlugin, points } from './fixtures/demo-points.ts'
import { memoryStore } from './index.ts'

/** A kernel whose waits are the longest they can be. */
const kernelWith = (options: TestKernelOptions = {}): Promise<TestKernel> =>
  testKernel({ points, plugins: [echoPlugin()], random: () => 1, ...options })
const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')
const stateOf = (t: TestKernel): string | undefined => t.kernel.plugins.get('echo')?.state.name

/** Uses the plugin, and ends it, so many times. */
async function crash(t: TestKernel, times = 1): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await say(t)
    t.runtime.crash('demo/echo')
    await t.clock.advance(1)
  }
}

test('after its first unexpected end a plugin is started by the next call; after the next it is left alone, each time longer', async () => {
  await using t = await kernelWith()
  await crash(t)
  assert.equal(stateOf(t), 'stopped')
  await crash(t)
  assert.equal(stateOf(t), 'failed')
  await assert.rejects(say(t), {
    code: 'PLUGIN_UNAVAILABLE',
    retryable: true,
    message: /killed by SIGKILL, and not for the first time; calls are taken again from \d{4}/,
  })
  assert.deepEqual([t.kernel.contributions(echo)[0]?.available, t.kernel.contributions(echo)[0]?.recovers], [false, true])
  await t.clock.advance(500)
  assert.equal(stateOf(t), 'stopped', 'it takes calls by itself')
  await crash(t)
  await t.clock.advance(500)
  await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE' })
  await t.clock.advance(500)
  assert.equal(await say(t), '1.0.0 x')
})

test('the wait is anything up to its ceiling, so that plugins do not come back together', async () => {
  await using t = await kernelWith({ random: () => 0.1 })
  await crash(t, 2)
  await t.clock.advance(49)
  assert.equal(await say(t), '1.0.0 x')
})

test('ten minutes without trouble and a plugin starts from the first wait again', async () => {
  await using t = await kernelWith()
  await crash(t, 2)
  await t.clock.advance(600_000)
  await crash(t)
  assert.equal(stateOf(t), 'stopped')
})

test('five ends within a minute are a crash loop; three are, of code the host does not know', async () => {
  for (const [trust, most] of [['first-party', 5] as const, ['community', 3] as const]) {
    await using t = await kernelWith({ random: () => 0, policy: { isolation: () => ({ trust }) } })
    await crash(t, most - 1)
    assert.notEqual(stateOf(t), 'quarantined')
    await crash(t)
    const { state } = t.kernel.plugins.get('echo') ?? {}
    assert.equal(state?.name === 'quarantined' && state.failure.code, 'PLUGIN_QUARANTINED')
    await t.clock.advance(86_400_000)
    await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE', retryable: false, message: /in quarantine: .* again and again/ })
    assert.equal(t.kernel.contributions(echo)[0]?.recovers, undefined)
  }
})

test('quarantine outlasts the host, until it is lifted by hand', async () => {
  const store = memoryStore()
  const plugins = [echoPlugin()]
  const options: TestKernelOptions = { plugins, store, supervision: { crashes: 2 } }
  {
    await using t = await kernelWith(options)
    await crash(t, 2)
    assert.equal((await t.kernel.plugins.start('echo')).state.name, 'quarantined', 'starting by hand does not lift it')
  }
  await using t = await kernelWith(options)
  assert.equal(stateOf(t), 'quarantined')
  assert.equal(t.kernel.report.plugins[0]?.state, 'quarantined')
  await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE' })
  assert.equal((await t.kernel.plugins.disable('echo')).state.name, 'disabled')
  assert.equal((await t.kernel.plugins.enable('echo')).state.name, 'quarantined', 'nor does switching it off and on')
  assert.equal((await t.kernel.plugins.release('echo')).state.name, 'stopped')
  assert.equal(await say(t), '1.0.0 x')
  await assert.rejects(t.kernel.plugins.release('echo'), { code: 'PLUGIN_NOT_QUARANTINED', message: /it is active/ })
  await using next = await kernelWith(options)
  assert.equal(stateOf(next), 'idle')
})

test('what is kept of a quarantine and cannot be read keeps no host from starting', async () => {
  const store = memoryStore()
  for (const key of ['quarantined/demo/echo', 'starting/demo/echo']) await store.set('kernel', key, '{"version":')
  await using t = await kernelWith({ store })
  assert.equal(await say(t), '1.0.0 x')
})

test('quarantine is of one package: another in its place takes calls, also over a restart', async () => {
  const store = memoryStore()
  const options: TestKernelOptions = { store, supervision: { crashes: 1 } }
  {
    await using t = await kernelWith(options)
    await crash(t)
    assert.equal(stateOf(t), 'quarantined')
    t.source.put(echoPlugin({ version: '1.0.1' }))
    await t.kernel.plugins.refresh()
    assert.equal(await say(t), '1.0.1 x')
  }
  await using t = await kernelWith({ ...options, plugins: [echoPlugin({ version: '1.0.1' })] })
  assert.equal(await say(t), '1.0.1 x')
})

test('reloading by hand lifts a quarantine too', async () => {
  await using t = await kernelWith({ supervision: { crashes: 1 } })
  await crash(t)
  assert.equal((await t.kernel.plugins.reload('echo')).state.name, 'active')
  assert.equal(await say(t), '1.0.0 x')
})

test('a plugin that is to run is started again by itself, with the same waits', async () => {
  await using t = await kernelWith({ plugins: [echoPlugin({ manifest: { activation: 'eager' } })] })
  assert.equal(stateOf(t), 'active')
  const end = async (): Promise<void> => {
    t.runtime.crash('demo/echo')
    await t.clock.advance(1)
  }
  await end()
  await t.event('plugin.changed', ({ to, generation }) => to === 'active' && generation === 2)
  await end()
  assert.equal(stateOf(t), 'failed')
  await t.clock.advance(500)
  await t.event('plugin.changed', ({ to, generation }) => to === 'active' && generation === 3)
})

test('a start that may go better later is tried again by itself where the plugin is to run, and is no crash', async () => {
  let starts = 0
  const plugin = echoPlugin({ manifest: { activation: 'eager' } })
  const setup: typeof plugin.setup = (scope) => {
    starts += 1
    if (starts < 8) throw new Error('the other side is down')
    return plugin.setup?.(scope)
  }
  await using t = await kernelWith({ plugins: [{ ...plugin, setup }] })
  assert.equal(stateOf(t), 'failed')
  for (let time = 1; time < 8; time += 1) {
    await t.event('plugin.changed', ({ to, generation }) => to === 'failed' && generation === time)
    await t.clock.advance(60_000)
  }
  await t.event('plugin.changed', ({ to, generation }) => to === 'active' && generation === 8)
})

test('how a plugin ended is kept with its last lines', async () => {
  await using t = await kernelWith()
  await say(t)
  t.runtime.crash('demo/echo', { kind: 'exit', code: 3, lastLines: ['out of cheese'] })
  await t.clock.advance(1)
  const { lastExit } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([lastExit?.generation, lastExit?.cause], [1, { kind: 'exit', code: 3, lastLines: ['out of cheese'] }])
})

test('where nothing is known of its last lines, what it logged is kept', async () => {
  const plugin = echoPlugin()
  const setup: typeof plugin.setup = (scope) => {
    for (let line = 1; line <= 30; line += 1) scope.log.info(`line ${line}`)
    return plugin.setup?.(scope)
  }
  await using t = await kernelWith({ plugins: [{ ...plugin, setup }] })
  await crash(t)
  const { cause } = await t.event('plugin.exited')
  const lines = 'lastLines' in cause ? cause.lastLines : []
  assert.deepEqual([lines.length, lines[0], lines.at(-1)], [20, 'line 11', 'line 30'])
})

test('what was in quarantine is forgotten once a new version serves, in the store too; not while the older one stands in', async () => {
  const store = memoryStore()
  const kept = (): Promise<readonly string[]> => store.keys('kernel', 'quarantined/')
  const options: TestKernelOptions = { store, supervision: { crashes: 1 } }
  await using t = await kernelWith({ ...options, plugins: [echoPlugin({ version: '1.0.0' })] })
  await say(t)
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  await crash(t)
  assert.deepEqual(await kept(), ['quarantined/demo/echo'])
  await t.kernel.plugins.rollback('echo')
  assert.equal(await say(t), '1.0.0 x')
  assert.deepEqual(await kept(), ['quarantined/demo/echo'], 'the source still has what is in quarantine')
  t.source.put(echoPlugin({ version: '3.0.0' }))
  await t.kernel.plugins.refresh()
  assert.equal(await say(t), '3.0.0 x')
  await t.kernel[Symbol.asyncDispose]()
  assert.deepEqual(await kept(), [])
})

test('a version in quarantine does not stand in for one that cannot start', async () => {
  await using t = await kernelWith({ supervision: { crashes: 1 } })
  await crash(t)
  t.source.put({ ...echoPlugin({ version: '2.0.0' }), setup: () => assert.fail('bad') })
  await t.kernel.plugins.refresh()
  await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE', message: /bad/ })
  assert.equal(t.kernel.plugins.get('echo')?.version, '2.0.0')
})
