import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readDomain } from './domain.ts'

const xml = readFileSync(new URL('fixtures/running-domain.xml', import.meta.url), 'utf8')

test('a running QEMU domain is read with its firmware, system, disks and network cards', () => {
  const domain = readDomain(xml, 'db-1')
  const { disks, ...rest } = domain
  assert.deepEqual(rest, {
    uuid: '6e7fa257-7e72-438e-86da-5a15c56e9ee9',
    name: 'db-1',
    type: 'kvm',
    active: true,
    memoryMb: 4096,
    cpus: 4,
    firmware: 'uefi',
    secureBoot: true,
    os: 'http://debian.org/debian/12',
    description: 'first line\nsecond <line>',
    drives: ['sda', 'fda'],
    nics: [
      { mac: '52:54:00:6b:3c:58', network: 'default', model: 'virtio' },
      { mac: '52:54:00:6b:3c:59', network: 'br0', model: '' },
    ],
  })
  assert.deepEqual(
    disks.map(({ target, source, format, encrypted, readOnly }) => ({ target, source, format, encrypted, readOnly })),
    [
      {
        target: 'vda',
        source: { kind: 'path', path: '/var/lib/libvirt/images/db-1.qcow2.vda.hypersdk-8b5cc4df7eec' },
        format: 'qcow2',
        encrypted: false,
        readOnly: false,
      },
      { target: 'vdb', source: { kind: 'path', path: '/dev/vg0/db-1-data' }, format: 'raw', encrypted: false, readOnly: false },
      {
        target: 'vdc',
        source: { kind: 'volume', pool: 'default', volume: 'db-1-logs.qcow2' },
        format: 'qcow2',
        encrypted: false,
        readOnly: false,
      },
      {
        target: 'vdd',
        source: { kind: 'path', path: '/var/lib/libvirt/images/secret.qcow2' },
        format: 'qcow2',
        encrypted: true,
        readOnly: true,
      },
    ],
  )
  assert.equal(disks[0]?.backing, '/var/lib/libvirt/images/db-1.qcow2')
  assert.deepEqual(
    disks.map((disk) => disk.bootOrder),
    [2, 1, Infinity, Infinity],
  )
})

for (const wrong of ['', '<network/>', '<domain type="kvm"><name>x</name></domain>', xml.slice(0, 700)]) {
  test(`what is no domain is an error that says so: ${JSON.stringify(wrong.slice(0, 30))}`, () => {
    assert.throws(() => readDomain(wrong, 'db-1'), {
      code: 'LIBVIRT_XML_UNEXPECTED',
      message: /description libvirt gave of db-1/,
    })
  })
}

for (const [memory, wanted] of [
  ['<memory>1048576</memory>', 1024],
  ["<memory unit='MiB'>512</memory>", 512],
  ["<memory unit='GiB'>2</memory>", 2048],
  ["<memory unit='bytes'>1073741824</memory>", 1024],
  ['', 0],
] as const) {
  test(`${memory || 'no memory'} is ${wanted} MiB`, () => {
    assert.equal(readDomain(`<domain><name>x</name><uuid>u</uuid>${memory}</domain>`, 'x').memoryMb, wanted)
  })
}
