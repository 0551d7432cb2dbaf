import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

test('why its newest calls failed is kept of a plugin: five of them, each no longer than of use, with the code that tells most', async () => {
  const denied = Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' })
  const say = (value: string): string => {
    if (value === 'well') return value
    if (value === 'cause') throw new Error('fetch failed', { cause: denied })
    throw Object.assign(new Error(value.repeat(500)), { code: 'OWN_CODE' })
  }
  await using t = await testKernel({ points, plugins: [echoPlugin({ say })] })
  const failures = (): readonly unknown[] =>
    (t.kernel.plugins.get('demo/echo')?.recentFailures ?? []).map(({ code, message }) => [code, message.slice(-45).trim()])
  const call = async (value: string): Promise<void> =>
    void (await t.kernel
      .provider(echo, 'echo')
      .say(value)
      .catch(() => undefined))
  await call('well')
  assert.deepEqual(failures(), [])
  await call('cause')
  assert.deepEqual(failures(), [['ERR_ACCESS_DENIED', 'failed (Access to this API has been restricted)'.slice(-45).trim()]])
  for (let at = 0; at < 7; at++) await call('x')
  const kept = t.kernel.plugins.get('demo/echo')?.recentFailures ?? []
  assert.deepEqual(
    kept.map(({ code, method, message }) => [code, method, message.length]),
    Array.from({ length: 5 }, () => ['OWN_CODE', 'say', 300]),
  )
})
