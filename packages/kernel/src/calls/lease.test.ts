import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { testKernel, type InlinePlugin } from '@backplane/testing'
import { points, store } from '../fixtures/demo-points.ts'

const storePlugin = (version: string, opened: object = {}): InlinePlugin => ({
  manifest: { id: 'demo/disk', version, contributes: { 'demo.store': { disk: {} } } },
  setup: (scope) => {
    const open = (prefix: string): object => ({ get: (key: string) => `${version} ${prefix}${key}`, list: () => [], ...opened })
    scope.provide(store, 'disk', { open: open as never })
  },
})

test('an opened instance stays on its generation; after the drain time it ends with the reason', async () => {
  await using t = await testKernel({ points, plugins: [storePlugin('1.0.0')] })
  const handle = t.kernel.provider(store, 'disk')
  const old = await handle.open('a:')
  t.source.put(storePlugin('2.0.0'))
  await t.kernel.plugins.refresh()
  await using fresh = await handle.open('b:')
  assert.deepEqual([await old.get('k'), await fresh.get('k')], ['1.0.0 a:k', '2.0.0 b:k'])
  await t.clock.advance(30_000)
  await t.event('plugin.drained')
  await assert.rejects(old.get('k'), {
    code: 'GENERATION_ENDED',
    retryable: true,
    message: /generation 1 of demo\/disk has ended/,
  })
  await old[Symbol.asyncDispose]()
})

test('opening under constant updates: what was opened can always be used', async () => {
  await using t = await testKernel({ points, plugins: [storePlugin('1.0.0')] })
  const handle = t.kernel.provider(store, 'disk')
  const over = new AbortController()
  const failures: unknown[] = []
  let used = 0
  const load = async (): Promise<void> => {
    while (!over.signal.aborted) {
      try {
        await using opened = await handle.open('a:')
        await opened.get('k')
        used += 1
      } catch (error) {
        failures.push(error)
      }
      await setImmediate()
    }
  }
  const loads = Array.from({ length: 8 }, load)
  for (let version = 2; version <= 100; version += 1) {
    t.source.put(storePlugin(`${version}.0.0`))
    await t.kernel.plugins.refresh()
  }
  over.abort()
  await Promise.all(loads)
  assert.deepEqual(failures, [])
  assert.ok(used > 100)
})

test('closing the last opened instance lets a retired generation end at once', async () => {
  let closed = 0
  await using t = await testKernel({ points, plugins: [storePlugin('1.0.0', { close: () => void (closed += 1) })] })
  const old = await t.kernel.provider(store, 'disk').open('a:')
  t.source.put(storePlugin('2.0.0'))
  await t.kernel.plugins.refresh()
  await old[Symbol.asyncDispose]()
  await old[Symbol.asyncDispose]()
  assert.equal((await t.event('plugin.drained')).tookMs, 0)
  assert.equal(closed, 1)
})

test('a lease pins its generation far beyond the drain time; its end frees it', async () => {
  await using t = await testKernel({ points, plugins: [storePlugin('1.0.0')] })
  const lease = await t.kernel.lease(store, 'disk')
  assert.deepEqual([lease.plugin, lease.version, lease.generation], ['demo/disk', '1.0.0', 1])
  t.source.put(storePlugin('2.0.0'))
  await t.kernel.plugins.refresh()
  await t.clock.advance(3_600_000)
  await using instance = await lease.handle.open('a:')
  assert.equal(await instance.get('k'), '1.0.0 a:k')
  assert.equal(lease.signal.aborted, false)
  assert.equal(t.kernel.plugins.get('disk')?.draining[0]?.leases, 1)
  await instance[Symbol.asyncDispose]()
  await lease[Symbol.asyncDispose]()
  await t.event('plugin.drained')
  assert.ok(lease.signal.aborted)
})

test('a lease does not outlive its time: its signal is aborted with the reason', async () => {
  await using t = await testKernel({ points, plugins: [storePlugin('1.0.0')], times: { leaseMs: 10_000, drainMs: 100 } })
  const lease = await t.kernel.lease(store, 'disk')
  t.source.put(storePlugin('2.0.0'))
  await t.kernel.plugins.refresh()
  await t.clock.advance(10_000)
  await t.event('plugin.drained')
  assert.ok(lease.signal.aborted)
  assert.equal((lease.signal.reason as { code: string }).code, 'GENERATION_ENDED')
  await assert.rejects(lease.handle.open('x'), { code: 'GENERATION_ENDED' })
})

test('a lease on a plugin that cannot start is refused; waiting for one ends with the signal', async () => {
  const never = { ...storePlugin('1.0.0'), setup: () => new Promise<void>(() => undefined) }
  await using t = await testKernel({ points, plugins: [never], times: { readyMs: 100 } })
  const abort = new AbortController()
  const refused = assert.rejects(t.kernel.lease(store, 'disk', { signal: abort.signal }), { name: 'AbortError' })
  abort.abort()
  await refused
  await assert.rejects(t.kernel.lease(store, 'disc'), { code: 'POINT_UNKNOWN_PROVIDER' })
})
