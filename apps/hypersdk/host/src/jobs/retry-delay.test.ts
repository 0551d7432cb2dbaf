import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryDelayMs } from './retry-delay.ts'

test('the delay doubles with each retry up to an hour, and a longer first one stays as it is', () => {
  assert.deepEqual(
    [0, 1, 2, 2_000].map((retries) => retryDelayMs(5000, retries)),
    [5000, 10_000, 20_000, 3_600_000],
  )
  assert.equal(retryDelayMs(7_200_000, 3), 7_200_000)
})
