import assert from 'node:assert/strict'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { imageBench, qemuImg } from './fixtures/image-files.ts'

const size = 24 * 1024 * 1024

const kinds: readonly (readonly [string, string, ...string[]])[] = [
  ['qcow2', 'qcow2'],
  ['qcow2', 'qcow2', '-o', 'compat=0.10'],
  ['vmdk', 'vmdk'],
  ['vmdk', 'vmdk', '-o', 'subformat=streamOptimized'],
  ['vmdk', 'vmdk', '-o', 'subformat=monolithicFlat'],
  ['vdi', 'vdi'],
  ['vhd', 'vpc', '-o', 'force_size=on'],
  ['vhd', 'vpc', '-o', 'force_size=on,subformat=fixed'],
  ['vhdx', 'vhdx'],
]

for (const [format, driver, ...options] of kinds) {
  test(`a ${[format, ...options].join(' ')} made by qemu-img is recognised by its bytes and its disk measured`, async (t) => {
    if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
    const { provider, images } = await imageBench(t)
    qemuImg('create', '-q', '-f', driver, ...options, join(images, 'disk.img'), String(size))
    const { metadata } = await provider.getVm('disk.img')
    assert.equal(metadata['format'], format)
    assert.equal(metadata['virtual_size_bytes'], size)
  })
}

test('plain bytes are a raw disk only when the name says so', async (t) => {
  const { provider, images } = await imageBench(t)
  for (const name of ['a.raw', 'b.img', 'c.qcow2', 'notes']) await writeFile(join(images, name), 'x'.repeat(700))
  assert.equal((await provider.getVm('a.raw')).metadata['format'], 'raw')
  assert.equal((await provider.getVm('b.img')).metadata['virtual_size_bytes'], 700)
  await assert.rejects(provider.getVm('c.qcow2'), { code: 'IMAGES_UNRECOGNISED' })
  assert.deepEqual(
    (await provider.listVms()).map((vm) => [vm.id, 'problem' in vm.metadata]),
    [
      ['a.raw', false],
      ['b.img', false],
      ['c.qcow2', true],
    ],
  )
})

const magics: Readonly<Record<string, Buffer>> = {
  qcow2: Buffer.from('514649fb', 'hex'),
  vmdk: Buffer.from('KDMV'),
  'vmdk descriptor': Buffer.from('# Disk DescriptorFile\nRW 10 FLAT nonsense\n'),
  vdi: Buffer.concat([Buffer.alloc(64), Buffer.from('7f10dabe', 'hex')]),
  vhdx: Buffer.from('vhdxfile'),
}

for (const [name, magic] of Object.entries(magics)) {
  test(`a ${name} header that is cut short or nonsense is an error, whatever follows it`, async (t) => {
    const { provider, images } = await imageBench(t)
    const path = join(images, 'bad.img')
    await writeFile(path, magic)
    await assert.rejects(provider.getVm('bad.img'), { code: 'IMAGES_HEADER_DAMAGED' })
    if (name === 'vdi' || name === 'vmdk descriptor') return
    await truncate(path, 1024 * 1024)
    await assert.rejects(provider.getVm('bad.img'), { code: 'IMAGES_HEADER_DAMAGED' })
    const noise = Buffer.alloc(512 * 1024, 0xff)
    await writeFile(path, Buffer.concat([magic, noise]))
    await assert.rejects(provider.getVm('bad.img'), { code: 'IMAGES_HEADER_DAMAGED' })
  })
}
