import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesText, secondsText } from './quantity.ts'

test('sizes have one digit after the point and a binary unit', () => {
  const texts = [0, 1, 1_023, 1_024, 1_536, 1_024 ** 3, 5 * 1_024 ** 6].map(bytesText)
  assert.deepEqual(texts, ['0 B', '1 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 GiB', '5120.0 PiB'])
})

test('times have two units at most', () => {
  const texts = [-1, 0, 59.4, 60, 3_599, 3_600, 86_399, 90_000].map(secondsText)
  assert.deepEqual(texts, ['0s', '0s', '59s', '1m00s', '59m59s', '1h00m', '23h59m', '1d01h'])
})
