import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { signed, subjectOf } from './fixtures/acme.ts'
import { judge, readPolicy } from './index.ts'
import { scanRules } from './scan/finding-list.ts'

const guide = readFileSync(new URL('../../../docs/guide/trust.md', import.meta.url), 'utf8')

test('the policy of the guide is one, and refuses what its publisher did not sign', () => {
  const policy = readPolicy(JSON.parse(/```json\n([^`]*)```/.exec(guide)?.[1] ?? ''))
  const verdict = judge(subjectOf({ version: '1.2.4', attestations: [signed()] }), policy, Date.parse('2026-11-21'))
  assert.deepEqual(
    [verdict.ok, verdict.rules.map(({ rule }) => rule).every((rule) => guide.includes(`\`${rule}\``))],
    [false, true],
  )
})

test('the guide names every rule of the scanner under its severity', () => {
  for (const [rule, { severity }] of Object.entries(scanRules)) {
    const row = new RegExp(`^\\| ${severity} \\| .*\`${rule}\``, 'm')
    assert.match(guide, row)
  }
})
