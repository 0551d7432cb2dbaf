import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveLimits } from './plugins/limits.ts'
import type { Limits, TrustLevel } from './ports.ts'
import { durationMs, sizeBytes } from './quantity.ts'

test('sizes and durations carry their unit', () => {
  assert.deepEqual(['1B', '1.5KiB', '2MiB', '1kB', '3GB'].map(sizeBytes), [1, 1_536, 2_097_152, 1_000, 3e9])
  assert.deepEqual(['10ms', '1.5s', '2m', '1h', '1d'].map(durationMs), [10, 1_500, 120_000, 3_600_000, 86_400_000])
})

test('a number without a unit, or with another one, is none', () => {
  for (const text of ['1', 'MiB', '-1MiB', '1 MiB', '1mib', '1s', '']) assert.equal(sizeBytes(text), undefined, text)
  for (const text of ['1', 's', '1sec', '1MiB', 'toString', '1constructor']) assert.equal(durationMs(text), undefined, text)
})

const of = (trust: TrustLevel, settings?: Partial<Limits>): Parameters<typeof effectiveLimits>[2] => ({ trust, settings })

test('the less a plugin is trusted, the narrower its limits, unless the host says otherwise', () => {
  const memory = (trust: TrustLevel): number => effectiveLimits(undefined, {}, of(trust)).memoryMiB
  assert.deepEqual([memory('first-party'), memory('verified'), memory('community')], [256, 256, 192])
  const { timeoutMs, concurrency, messageBytes } = effectiveLimits(undefined, {}, of('community'))
  assert.deepEqual([timeoutMs, concurrency, messageBytes], [10_000, 32, 1024 ** 2])
  const output = (trust: TrustLevel): readonly number[] => {
    const { outputBytesPerSecond, outputBurstBytes } = effectiveLimits(undefined, {}, of(trust))
    return [outputBytesPerSecond / 1024, outputBurstBytes / 1024]
  }
  assert.deepEqual(
    [output('first-party'), output('verified'), output('community')],
    [
      [1_024, 4_096],
      [256, 1_024],
      [64, 1_024],
    ],
  )
  assert.equal(effectiveLimits({ timeout: '1m' }, {}, of('community')).timeoutMs, 10_000, 'it may ask for less only')
  assert.equal(effectiveLimits(undefined, { timeoutMs: 90_000 }, of('community')).timeoutMs, 90_000)
})

test('the host caps what a plugin asks for, and the operator has the last word', () => {
  assert.equal(effectiveLimits({ memory: '1GiB' }, { memoryMiB: 512 }, of('first-party')).memoryMiB, 512)
  assert.equal(effectiveLimits({ memory: '100MiB' }, { memoryMiB: 512 }, of('first-party')).memoryMiB, 100)
  assert.equal(effectiveLimits(undefined, {}, of('first-party')).concurrency, 256)
  assert.equal(effectiveLimits({ concurrency: 4 }, {}, of('community', { concurrency: 1_000 })).concurrency, 1_000)
  assert.equal(effectiveLimits(undefined, {}, of('first-party', { concurrency: 0 })).concurrency, 1)
})
