import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDuration, parseSize } from './quantity.ts'

test('a duration is a sum of amounts with units', () => {
  assert.equal(parseDuration('30s'), 30_000)
  assert.equal(parseDuration('1h30m'), 5_400_000)
  assert.equal(parseDuration('1.5s'), 1500)
})

test('a duration without a unit, or with an unknown one, is none', () => {
  for (const text of ['30', '', '30 s', '-5s', '3w', '9'.repeat(30) + 'd']) assert.equal(parseDuration(text), undefined, text)
})

test('a size has a decimal or a binary unit', () => {
  assert.equal(parseSize('256MiB'), 268_435_456)
  assert.equal(parseSize('1.5 GB'), 1_500_000_000)
  for (const text of ['256', '1GiB2', 'MiB', '-1B']) assert.equal(parseSize(text), undefined, text)
})
