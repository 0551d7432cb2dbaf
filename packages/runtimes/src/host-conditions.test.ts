import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostConditions } from './host-conditions.ts'

test('conditions of the host are found in every form, and nothing else is passed on', () => {
  const given = ['--conditions=a', '--inspect', '-C', 'b', '--conditions', 'c', '--import', 'd', '-C']
  assert.deepEqual(hostConditions(given), ['--conditions=a', '--conditions=b', '--conditions=c'])
})
