import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { atLeast, atMost, interleaved, median } from './contest.ts'

const folder = join(import.meta.dirname, '..')

test('a target is met at its bound and missed beyond it, before anything is rounded', () => {
  assert.deepEqual(
    [atLeast('x', 4, 4), atLeast('x', 3.999, 4), atMost('x', 1.5, 1.5), atMost('x', 1.501, 1.5)].map(({ met }) => met),
    [true, false, true, false],
  )
  assert.deepEqual(atLeast('x', Number.NaN, 1).met, false, 'what was not measured is not met')
})

test('of every round each contestant is measured once, and the median counts', async () => {
  const measured: string[] = []
  const one = (name: string) => ({ name, call: async () => undefined, close: () => undefined })
  const rounds = await interleaved([one('a'), one('b')], 3, async ({ name }) => {
    measured.push(name)
    return measured.filter((other) => other === name).length
  })
  assert.deepEqual([...rounds], [['a', 2], ['b', 2]]) // prettier-ignore
  assert.equal(median([9, 1, 5]), 5)
})

test('every bench has its row in docs/performance.md, and every row its bench', () => {
  const page = readFileSync(join(folder, '../docs/performance.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name = '']) => name)
  const benches = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  assert.deepEqual(rows.toSorted(), benches.map((name) => name.slice(0, -'.ts'.length)).sort())
})
