import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { dataRuns, holeBytes, isZero } from './zero-runs.ts'

test('runs hold every byte that is not zero, and no piece that is all zero', () => {
  const byte = fc.tuple(fc.nat(holeBytes * 5 - 1), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(fc.nat(holeBytes * 5), fc.array(byte, { maxLength: 5 }), (length, bytes) => {
      const block = Buffer.alloc(length)
      for (const [at, value] of bytes) if (at < length) block[at] = value
      const copy = Buffer.alloc(length)
      for (const { start, end } of dataRuns(block)) {
        block.copy(copy, start, start, end)
        for (let at = start; at < end; at += holeBytes) assert.ok(!isZero(block.subarray(at, Math.min(at + holeBytes, end))))
        assert.equal(start % holeBytes, 0)
      }
      assert.ok(copy.equals(block))
    }),
    { numRuns: 50 },
  )
})
