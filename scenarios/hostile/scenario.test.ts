import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { allCases } from './cases/all-cases.ts'
import type { Case } from './cases/case.ts'
import { figures, readResult, recorded, writeResult } from './result-file.ts'
import { runTier, type TierResult } from './stage/run-tier.ts'
import { tierNames, type TierName } from './stage/tiers.ts'

/** `BACKPLANE_HOSTILE=A01` tries only the cases whose id has that in it; `BACKPLANE_HOSTILE_KEEP=1` keeps what came of it all. */
const filter = process.env['BACKPLANE_HOSTILE'] ?? ''
const keeps = process.env['BACKPLANE_HOSTILE_KEEP'] === '1'

const results = new Map<TierName, TierResult>()

describe('every attack comes to what is written down, and nobody else notices', { concurrency: 2 }, () => {
  for (const tier of ['trusted', 'os', 'contained', 'process'] as const) {
    test(`in the tier ${tier}`, { timeout: 250_000 }, async (t) => {
      if (tier === 'os' && !requireProgram(t, 'bwrap', 'bubblewrap')) return
      const root = await temporaryDirectory(t)
      // A plugin's own user must be able to come to its directories.
      await chmod(root, 0o755)
      const result = await runTier(tier, root, filter)
      results.set(tier, result)
      const { quiet, attacked, health } = figures(result)
      t.diagnostic(`others: p50 ${attacked.p50Ms} of ${quiet.p50Ms} ms, p99 ${attacked.p99Ms} of ${quiet.p99Ms} ms`)
      t.diagnostic(`health of the host: p50 ${health.p50Ms} ms, p99 ${health.p99Ms} ms, at most ${health.maxMs} ms`)
      assert.equal(surprises(tier, result), '')
      assert.deepEqual(result.others.failures, [], 'calls of the innocent plugin failed while others attacked')
      assert.deepEqual(result.left, [], 'processes outlived their host')
    })
  }
})

test('the page about security is made from what really came of it', async (t) => {
  if (filter !== '' || results.size < tierNames.length) return t.skip('only a part was run')
  const cases = allCases.map((one) => recorded(one, results))
  if (keeps) {
    const entries = [...results].map(([tier, result]) => [tier, figures(result)] as const)
    await writeResult({ cases, figures: Object.fromEntries(entries) })
  }
  const { cases: kept } = await readResult()
  const given = cases.map((one) => (isComparable(one.id, 'os') ? one : (kept.find(({ id }) => id === one.id) ?? one)))
  assert.deepEqual(kept, given, 'run it with BACKPLANE_HOSTILE_KEEP=1, then npm run generate')
})

/** What came out otherwise than was written down, with the evidence. */
function surprises(tier: TierName, { cases }: TierResult): string {
  return cases
    .filter(({ id, verdict }) => isComparable(id, tier) && caseOf(id).expected[tier] !== verdict)
    .map(({ id, verdict, notes }) => `${id}: ${verdict} instead of ${JSON.stringify(caseOf(id).expected[tier])}\n${notes}`)
    .join('\n')
}

/** Without control groups, nobody promises what they alone stop. */
function isComparable(id: string, tier: TierName): boolean {
  return tier !== 'os' || caseOf(id).needsGroups !== true || results.get('os')?.hasGroups !== false
}

function caseOf(wanted: string): Case {
  const found = allCases.find(({ id }) => id === wanted)
  if (found === undefined) throw new TypeError(`no case ${wanted}`)
  return found
}
