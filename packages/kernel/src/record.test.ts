import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLegalTransition, type StateName } from './record.ts'

const legal: Readonly<Record<StateName, readonly StateName[]>> = {
  discovered: ['checked', 'disabled', 'failed'],
  checked: ['blocked', 'disabled', 'failed', 'resolved'],
  blocked: ['disabled', 'discovered', 'failed', 'resolved', 'stopped'],
  resolved: ['failed', 'idle', 'quarantined'],
  idle: ['disabled', 'discovered', 'failed', 'starting', 'stopped'],
  starting: ['active', 'failed', 'quarantined'],
  active: ['active', 'draining', 'failed', 'quarantined', 'stopped'],
  draining: ['disabled', 'discovered', 'failed', 'stopped'],
  stopped: ['disabled', 'discovered', 'failed', 'starting', 'stopped'],
  disabled: ['disabled', 'discovered', 'stopped'],
  failed: ['disabled', 'discovered', 'failed', 'starting', 'stopped'],
  quarantined: ['disabled', 'discovered', 'failed', 'starting', 'stopped'],
}
const states = Object.keys(legal) as StateName[]

test('a plugin goes from each state only where the table says', () => {
  for (const from of states) {
    const reached = states.filter((to) => isLegalTransition(from, to)).toSorted()
    assert.deepEqual(reached, legal[from], from)
  }
})

test('a plugin comes into being as discovered', () => {
  assert.deepEqual(
    states.filter((to) => isLegalTransition(undefined, to)),
    ['discovered'],
  )
})

test('nothing runs that was not resolved: active is reached only over starting', () => {
  assert.deepEqual(
    states.filter((from) => isLegalTransition(from, 'active')),
    ['starting', 'active'],
  )
  assert.ok(!isLegalTransition('disabled', 'starting'))
  assert.ok(!isLegalTransition('blocked', 'starting'))
})
