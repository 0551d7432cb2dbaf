import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tier } from '@backplane/sdk'
import { chooseTier, weighEnforcement, type TierRequest } from './policy.ts'

const all: readonly Tier[] = ['trusted', 'contained', 'confined', 'foreign', 'wasm']
const choose = (request: Partial<TierRequest>): string => {
  const chosen = chooseTier({
    id: 'a/b',
    origin: 'external',
    settings: undefined,
    policy: {},
    accepted: undefined,
    available: all,
    ...request,
  })
  return chosen.ok ? chosen.tier : `no: ${chosen.reason}`
}

test('bundled code is trusted and external code confined, unless policy or the operator says otherwise', () => {
  assert.equal(choose({ origin: 'bundled' }), 'trusted')
  assert.equal(choose({}), 'confined')
  assert.equal(choose({ policy: { tier: () => 'contained' } }), 'contained')
  assert.equal(choose({ policy: { tier: () => 'contained' }, settings: 'trusted' }), 'trusted')
})

test('a plugin moves itself to a stronger tier only', () => {
  assert.equal(choose({ origin: 'bundled', accepted: ['confined', 'contained'] }), 'contained')
  assert.equal(choose({ accepted: ['trusted', 'contained'] }), 'no: the plugin works only in trusted, contained')
  assert.equal(choose({ settings: 'trusted', accepted: ['confined'] }), 'no: the plugin works only in confined')
})

test('a tier without a runtime is not silently replaced by a weaker one', () => {
  assert.equal(choose({ available: ['trusted'] }), 'no: this host has runtimes for trusted only')
  assert.equal(choose({ available: [] }), 'no: this host has runtimes for no tier only')
})

test('permissions need exact enforcement, limits at least some; trusted promises nothing, contained only limits', () => {
  const enforcement = [
    { what: 'exec', level: 'coarse', mechanism: 'any program' },
    { what: 'fs:read', level: 'exact', mechanism: 'permission model' },
    { what: 'limit:memory', level: 'none', mechanism: 'no cgroup' },
    { what: 'limit:time', level: 'coarse', mechanism: 'timer' },
  ] as const
  const missing = (tier: Tier, waived: readonly string[] = []): readonly string[] =>
    weighEnforcement(enforcement, tier, waived).missing.map(({ what }) => what)
  assert.deepEqual(missing('confined'), ['exec', 'limit:memory'])
  assert.deepEqual(missing('contained'), ['limit:memory'])
  assert.deepEqual(missing('trusted'), [])
  assert.deepEqual(missing('confined', ['exec']), ['limit:memory'])
  assert.deepEqual(missing('confined', ['exec', 'limit']), [])
  assert.deepEqual(missing('confined', ['*']), [])
  assert.deepEqual(missing('confined', ['ex']), ['exec', 'limit:memory'])
})

test('a waiver stays visible', () => {
  const [entry] = weighEnforcement([{ what: 'exec', level: 'none', mechanism: 'nothing' }], 'confined', ['exec']).enforcement
  assert.deepEqual(entry, { what: 'exec', level: 'none', mechanism: 'nothing; waived by policy' })
})
