import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { circlesAmong } from './circles.ts'

const anyWays = fc.array(fc.uniqueArray(fc.nat(7)), { minLength: 8, maxLength: 8 })

test('two are in one circle when each leads to the other', () => {
  fc.assert(
    fc.property(anyWays, (ways) => {
      const circles = circlesAmong(ways.keys(), (one) => ways[one] ?? [])
      const reach = (from: number, seen = new Set<number>([from])): ReadonlySet<number> => {
        for (const next of ways[from] ?? []) if (!seen.has(next)) reach(next, seen.add(next))
        return seen
      }
      for (const one of ways.keys())
        for (const other of ways.keys())
          assert.equal(circles.get(one) === circles.get(other), reach(one).has(other) && reach(other).has(one))
    }),
  )
})

test('a way of a hundred thousand steps is gone to its end, and back', () => {
  const most = 100_000
  const all = Array.from({ length: most }, (_, at) => at)
  assert.equal(new Set(circlesAmong(all, (one) => (one + 1 < most ? [one + 1] : [])).values()).size, most)
  assert.equal(new Set(circlesAmong(all, (one) => [(one + 1) % most]).values()).size, 1)
})
