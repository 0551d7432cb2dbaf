import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Grants } from '@backplane/kernel'
import { confinedEnforcement } from './enforces.ts'

const none: Grants = { fsRead: [], fsWrite: [], exec: [], net: [] }

function levels(grants: Partial<Grants>, launcher = '/usr/bin/setpriv'): Record<string, string> {
  const enforcement = confinedEnforcement({ ...none, ...grants }, launcher)
  return Object.fromEntries(enforcement.map(({ what, level }) => [what, level]))
}

const strictest = {
  'fs:read': 'exact',
  'fs:write': 'exact',
  exec: 'exact',
  'net:connect': 'exact',
  'limit:memory': 'coarse',
  'limit:lifetime': 'exact',
}

test('without programs and network, files, programs and network are enforced exactly', () => {
  assert.deepEqual(levels({}), strictest)
  assert.deepEqual(levels({ fsRead: ['/a'], fsWrite: ['/b'] }), strictest)
})

test('one granted host opens the network, so that is coarse', () => {
  assert.deepEqual(levels({ net: ['example.com:443'] }), { ...strictest, 'net:connect': 'coarse' })
})

test('a program can do what its plugin may not, so with one nothing is exact', () => {
  const coarse = { 'fs:read': 'coarse', 'fs:write': 'coarse', exec: 'coarse', 'net:connect': 'coarse' }
  assert.deepEqual(levels({ exec: ['qemu-img'] }), { ...strictest, ...coarse })
})

test('without setpriv a busy plugin may outlive its host, and it is said so', () => {
  const entry = confinedEnforcement(none, undefined).find(({ what }) => what === 'limit:lifetime')
  assert.equal(entry?.level, 'coarse')
  assert.match(entry?.mechanism ?? '', /setpriv/)
})
