import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultSupervision } from '../supervision.ts'
import { Troubles } from './troubles.ts'

/** Waits after so many troubles in a row, each a moment after the wait before it. */
function waits(times: number, isCrash: boolean): readonly number[] {
  const troubles = new Troubles()
  let nowMs = 1_000_000
  return Array.from({ length: times }, () => {
    troubles.note({ nowMs, isCrash, crashes: 1_000, random: 1 }, defaultSupervision)
    const waitMs = troubles.retryAtMs - nowMs
    nowMs = troubles.retryAtMs + 1
    return waitMs
  })
}

test('the first end costs no wait; from the second on the longest wait doubles from half a second to a minute', () => {
  assert.deepEqual(waits(11, true), [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
})

test('a start that came to nothing waits from the first time on', () => {
  assert.deepEqual(waits(4, false), [500, 1_000, 2_000, 4_000])
})

test('ends that are further apart than the window are no loop, however many', () => {
  const troubles = new Troubles()
  for (let time = 1; time <= 50; time += 1) {
    const trouble = { nowMs: time * 61_000, isCrash: true, crashes: 2, random: 0 }
    assert.notEqual(troubles.note(trouble, defaultSupervision), 'quarantine')
  }
})
