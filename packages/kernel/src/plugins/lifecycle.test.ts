import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError, type Scope } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, store } from '../fixtures/demo-points.ts'

const hang = (): Promise<never> => new Promise(() => undefined)

test('when a process ends, its calls fail at once naming plugin and cause, and the next call works', async () => {
  let isHanging = true
  await using t = await testKernel({ points, plugins: [echoPlugin({ say: (value) => (isHanging ? hang() : value) })] })
  const client = t.kernel.provider(echo, 'echo')
  const running = assert.rejects(client.say('x'), {
    code: 'PLUGIN_EXITED',
    message: /demo\/echo ended during the call: it was killed by SIGKILL/,
    retryable: true,
    plugin: 'demo/echo',
    point: 'demo.echo',
  })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  t.runtime.crash('demo/echo')
  await running
  const record = t.kernel.plugins.get('echo')
  assert.deepEqual(record?.state, { name: 'stopped', reason: 'it was killed by SIGKILL; the next call starts it again' })
  isHanging = false
  assert.equal(await client.say('again'), 'again')
  assert.equal(t.kernel.plugins.get('echo')?.generation, 2)
  assert.equal((await t.event('plugin.exited')).generation, 1)
})

test('a session that breaks before its process is known to have ended still tells the cause', async () => {
  const lost = (): never => {
    throw new PlatformError('RPC_CLOSED', 'closed')
  }
  await using t = await testKernel({ points, plugins: [echoPlugin({ say: lost })] })
  const client = t.kernel.provider(echo, 'echo')
  const running = assert.rejects(client.say('x'), { code: 'PLUGIN_EXITED', message: /exited with code 7/ })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  t.runtime.crash('demo/echo', { kind: 'exit', code: 7, lastLines: ['boom'] })
  await running
  const lying = assert.rejects(client.say('x'), { code: 'CALL_FAILED' })
  await t.event('plugin.changed', ({ generation, to }) => generation === 2 && to === 'active')
  await t.clock.advance(1_000)
  await lying
})

test('opened instances and leases of a process that ended are told so', async () => {
  const plugin = {
    manifest: { id: 'demo/disk', contributes: { 'demo.store': { disk: {} } } },
    setup: (scope: Scope) => scope.provide(store, 'disk', { open: () => ({ get: (key) => key, list: () => [] as never }) }),
  }
  await using t = await testKernel({ points, plugins: [plugin] })
  const lease = await t.kernel.lease(store, 'disk')
  const opened = await lease.handle.open('x')
  t.runtime.crash('demo/disk', { kind: 'memory', detail: '256 MiB', lastLines: [] })
  await t.event('plugin.exited')
  assert.equal((lease.signal.reason as PlatformError).code, 'PLUGIN_EXITED')
  await assert.rejects(opened.get('k'), { code: 'PLUGIN_EXITED', message: /ran out of memory \(256 MiB\)/ })
  await opened[Symbol.asyncDispose]()
})

test('a generation that nobody calls stays started', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  await t.kernel.provider(echo, 'echo').say('x')
  await t.clock.advance(86_400_000)
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
})

test('a cleanup that throws or hangs does not keep a plugin from stopping', async () => {
  const released = Promise.withResolvers<void>()
  const plugin = echoPlugin()
  const setup: typeof plugin.setup = async (scope) => {
    scope.defer(() => assert.fail('cleanup'))
    scope.defer(() => released.promise)
    await plugin.setup?.(scope)
  }
  await using t = await testKernel({ points, plugins: [{ ...plugin, setup }], times: { stopMs: 100 } })
  await t.kernel.provider(echo, 'echo').say('x')
  const disabled = t.kernel.plugins.disable('echo')
  await t.event('plugin.drained')
  await t.clock.advance(2_100)
  assert.equal((await disabled).state.name, 'disabled')
  assert.match(t.lines.at(-1)?.message ?? '', /did not stop it within 2100 ms/)
  released.resolve()
})
