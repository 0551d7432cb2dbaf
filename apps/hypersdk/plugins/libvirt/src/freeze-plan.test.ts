import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readDomain } from './domain.ts'
import { freezeCommand, planFreeze } from './freeze-plan.ts'

const xml = readFileSync(new URL('fixtures/running-domain.xml', import.meta.url), 'utf8')
const domain = readDomain(xml, 'db-1')
const beside = { quiesce: false, overlayDirectory: undefined }

test('only disks that are written to are frozen, the others are left out by name', () => {
  const options = { quiesce: true, overlayDirectory: '/over,lays' }
  const command = freezeCommand(planFreeze('e1', 'qemu:///system', domain, options), domain, options)
  const specs = command.filter((_, index) => command[index - 1] === '--diskspec')
  assert.deepEqual(specs, [
    'vda,snapshot=external,file=/over,,lays/6e7fa257-7e72-438e-86da-5a15c56e9ee9.vda.hypersdk-8b5cc4df7eec',
    'vdb,snapshot=external,file=/over,,lays/6e7fa257-7e72-438e-86da-5a15c56e9ee9.vdb.hypersdk-8b5cc4df7eec',
    'sda,snapshot=no',
    'fda,snapshot=no',
    'vdc,snapshot=no',
    'vdd,snapshot=no',
  ])
  assert.ok(command.includes('--quiesce') && command.includes('--atomic') && command.includes('--no-metadata'))
})

test('a device needs a directory for its overlay', () => {
  assert.throws(() => planFreeze('e1', 'qemu:///system', domain, beside), {
    code: 'LIBVIRT_DISK_UNSUPPORTED',
    message: /vdb.*overlay_directory/,
  })
})

test('a hypervisor without external snapshots is refused', () => {
  const other = { ...domain, type: 'xen' }
  assert.throws(() => planFreeze('e1', 'xen:///', other, beside), { code: 'LIBVIRT_RUNNING_UNSUPPORTED', message: /runs on xen/ })
})
