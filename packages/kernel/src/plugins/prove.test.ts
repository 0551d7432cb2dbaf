import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import { lively, update, updateHanging } from '../fixtures/lively-plugin.ts'

const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')

test('what is only in memory is handed over; when that fails the old version serves on', async () => {
  const seen: unknown[] = []
  const handing = (
    version: string,
    take: () => unknown,
    put: (value: unknown) => void = (value) => void seen.push(value),
  ): InlinePlugin =>
    lively({ version }, (scope) => {
      scope.snapshot(take)
      scope.restore(put)
    })
  await using t = await testKernel({ points, plugins: [handing('1.0.0', () => ({ open: ['a'] }))] })
  await say(t)
  await update(
    t,
    handing('2.0.0', () => assert.fail('cannot be told')),
  )
  assert.deepEqual(seen, [{ open: ['a'] }])
  for (const [plugin, reason] of [
    [echoPlugin({ version: '3.0.0' }), /2\.0\.0 could not hand over to 3\.0\.0: cannot be told/],
    [
      handing(
        '4.0.0',
        () => undefined,
        () => assert.fail('cannot be read'),
      ),
      /cannot be told/,
    ],
  ] as const) {
    await update(t, plugin)
    const { version, failure } = t.kernel.plugins.get('echo')?.update ?? {}
    assert.equal(failure?.code, 'UPDATE_NOT_HANDED_OVER')
    assert.match(failure.message, reason)
    assert.notEqual(version, '2.0.0')
    assert.equal(await say(t), '2.0.0 x')
  }
})

test('a snapshot that is too large, no JSON, or does not come, and a restore that throws, fail the update', async () => {
  const cases: readonly [take: () => unknown, put: () => void, reason: RegExp][] = [
    [() => 'x'.repeat(2_000), () => undefined, /2002 bytes, more than the 1000/],
    [() => new Promise(() => undefined), () => undefined, /its snapshot did not come within 5000 ms/],
    [() => ({ n: 10n }), () => undefined, /BigInt/],
    [() => 'fine', () => assert.fail('cannot be read'), /cannot be read/],
  ]
  for (const [take, put, reason] of cases) {
    const first = lively({}, (scope) => scope.snapshot(take))
    await using t = await testKernel({ points, plugins: [first], limits: { messageBytes: 1_000 } })
    await say(t)
    await updateHanging(
      t,
      lively({ version: '2.0.0' }, (scope) => scope.restore(put)),
    )
    assert.match(t.kernel.plugins.get('echo')?.update?.failure.message ?? '', reason)
    assert.equal(await say(t), '1.0.0 x')
  }
})
