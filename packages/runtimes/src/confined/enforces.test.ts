import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Grants } from '@backplane/kernel'
import { testLimits } from '@backplane/testing'
import type { SandboxTrial } from '../sandbox/machine.ts'
import { confinedEnforcement } from './enforces.ts'

const none: Grants = { fsRead: [], fsWrite: [], exec: [], net: [], host: [] }

function levels(grants: Partial<Grants>, sandbox?: SandboxTrial, launcher = '/usr/bin/setpriv'): Record<string, string> {
  const enforcement = confinedEnforcement({ grants: { ...none, ...grants }, limits: testLimits, launcher, sandbox })
  return Object.fromEntries(enforcement.map(({ what, level }) => [what, level]))
}

const strictest = {
  'fs:read': 'exact',
  'fs:write': 'exact',
  exec: 'exact',
  'net:connect': 'exact',
  'limit:memory': 'coarse',
  'limit:cpu': 'coarse',
  'limit:processes': 'coarse',
  'limit:open-files': 'coarse',
  'limit:file-size': 'coarse',
  'limit:tmp': 'exact',
  'limit:data': 'coarse',
  'limit:output': 'exact',
  'limit:lifetime': 'exact',
}

test('without programs and network, files, programs and network are enforced exactly', () => {
  assert.deepEqual(levels({}), strictest)
  assert.deepEqual(levels({ fsRead: ['/a'], fsWrite: ['/b'] }), strictest)
})

test('a granted place is reached through the broker, and no other, so that is exact', () => {
  assert.deepEqual(levels({ net: ['example.com:443'] }), strictest)
  assert.deepEqual(levels({ net: ['example.com:443'], exec: ['qemu-img'] }, built)['net:connect'], 'exact')
  assert.deepEqual(levels({ net: ['example.com:443'], exec: ['qemu-img'] })['net:connect'], 'coarse')
})

test('a program can do what its plugin may not, so with one nothing is exact', () => {
  const coarse = { 'fs:read': 'coarse', 'fs:write': 'coarse', exec: 'coarse', 'net:connect': 'coarse' }
  assert.deepEqual(levels({ exec: ['qemu-img'] }), { ...strictest, ...coarse })
})

test('without setpriv a busy plugin may outlive its host, and it is said so', () => {
  const entry = confinedEnforcement({ grants: none, limits: testLimits, launcher: undefined, sandbox: undefined }).find(
    ({ what }) => what === 'limit:lifetime',
  )
  assert.equal(entry?.level, 'coarse')
  assert.match(entry?.mechanism ?? '', /setpriv/)
})

const built: SandboxTrial = {
  works: true,
  version: 'bubblewrap 1.0',
  programs: { bwrap: '/bwrap', shell: '/sh', setpriv: '/setpriv', unshare: '/unshare', mount: '/mount' },
}

test('a device is open for writing to the programs of a plugin that may only read it, and it is said so', () => {
  const devices = { fsRead: ['/dev/mapper/disk'] }
  assert.equal(levels(devices, built)['fs:write'], 'exact')
  assert.equal(levels({ ...devices, exec: ['qemu-img'] }, built)['fs:write'], 'coarse')
  assert.equal(levels({ ...devices, fsWrite: ['/dev/mapper/disk'], exec: ['qemu-img'] }, built)['fs:write'], 'exact')
})

test('in a sandbox files and programs are enforced exactly even for a plugin that may start programs', () => {
  const found = levels({ exec: ['qemu-img'], fsRead: ['/a'] }, built)
  const asked = ['sandbox', 'fs:read', 'fs:write', 'exec', 'net:connect', 'limit:open-files', 'limit:file-size', 'limit:tmp']
  assert.deepEqual(
    asked.map((what) => found[what]),
    asked.map(() => 'exact'),
  )
})

test('a sandbox that is wanted and cannot be built is named with what is missing and how to get it', () => {
  const missing: SandboxTrial = { works: false, missing: 'bubblewrap is missing', install: 'apt-get install bubblewrap' }
  const question = { grants: none, limits: testLimits, launcher: '/setpriv', sandbox: missing }
  const [first, ...others] = confinedEnforcement(question)
  assert.deepEqual(first, { what: 'sandbox', level: 'none', mechanism: 'bubblewrap is missing: apt-get install bubblewrap' })
  assert.deepEqual(others, confinedEnforcement({ ...question, sandbox: undefined }))
})
