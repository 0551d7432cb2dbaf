import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCleanups } from './cleanups.ts'

test('cleanups run last first, one after the other, and failures are told', async () => {
  const ran: number[] = []
  const failures = await runCleanups(
    [
      () => ran.push(1),
      () => Promise.reject(new Error('second')),
      async () => {
        await Promise.resolve()
        ran.push(3)
      },
      () => {
        throw 'fourth' // oxlint-disable-line no-throw-literal
      },
    ],
    1_000,
  )
  assert.deepEqual(ran, [3, 1])
  assert.deepEqual(
    failures.map(({ message }) => message),
    ['fourth', 'second'],
  )
})

test('those that hang share the time, so that the others have theirs', async () => {
  const ran: string[] = []
  const hang = (): Promise<never> => new Promise(() => undefined)
  const failures = await runCleanups([() => ran.push('first'), hang, hang, () => ran.push('last')], 60)
  assert.deepEqual(ran, ['last', 'first'])
  assert.equal(failures.length, 2)
})

test('without any time each is begun all the same', async () => {
  let begun = 0
  await runCleanups([() => (begun += 1), () => (begun += 1)], 0)
  assert.equal(begun, 2)
})
