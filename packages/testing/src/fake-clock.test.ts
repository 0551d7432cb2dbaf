import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from './fake-clock.ts'

test('timers fire in order, at their time, and only as far as the clock was moved', async () => {
  const clock = fakeClock(0)
  const fired: string[] = []
  clock.after(20, () => fired.push(`b ${clock.now()}`))
  clock.after(10, () => {
    fired.push(`a ${clock.now()}`)
    clock.after(5, () => fired.push(`c ${clock.now()}`))
  })
  clock.after(30, () => fired.push('late'))
  await clock.advance(29)
  assert.deepEqual(fired, ['a 10', 'c 15', 'b 20'])
  assert.deepEqual([clock.now(), clock.pending()], [29, 1])
})

test('a disposed timer does not fire', async () => {
  const clock = fakeClock()
  const timer = clock.after(1, () => assert.fail('fired'))
  timer[Symbol.dispose]()
  await clock.advance(10)
})

test('waiting settles as soon as something waits', async () => {
  const clock = fakeClock()
  const waiting = clock.waiting()
  setImmediate(() => clock.after(1, () => {}))
  await waiting
  assert.equal(clock.pending(), 1)
})
