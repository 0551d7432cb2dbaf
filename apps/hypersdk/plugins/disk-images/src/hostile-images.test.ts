import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, open, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { collect, imageBench, qemuImg, type ImageBench } from './fixtures/image-files.ts'

const secret = 'do not leak this'

/** A bench with a secret file outside the image directory. */
async function bench(t: TestContext): Promise<ImageBench & { readonly secretFile: string }> {
  const made = await imageBench(t)
  const secretFile = join(made.other, 'secret.raw')
  await writeFile(secretFile, secret.padEnd(1024 * 1024, '.'))
  return { ...made, secretFile }
}

async function refused({ provider, staging, other }: ImageBench, id: string, code: string): Promise<void> {
  for (const format of ['raw', 'qcow2', 'vmdk']) {
    const items = provider.exportVm({ export_id: 'e', id, format, staging_dir: staging })
    await assert.rejects(collect(items, join(other, 'out')), { code }, `${id} as ${format}`)
  }
}

for (const spelling of ['absolute', 'relative', 'through a link', 'a protocol', 'json']) {
  test(`a qcow2 cannot pull in a file outside the directory by its backing file (${spelling})`, async (t) => {
    if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
    const made = await bench(t)
    await symlink(made.secretFile, join(made.images, 'innocent.raw'))
    const names: Readonly<Record<string, string>> = {
      absolute: made.secretFile,
      relative: '../other/secret.raw',
      'through a link': 'innocent.raw',
      'a protocol': `file:${made.secretFile}`,
      json: JSON.stringify({ driver: 'raw', file: { driver: 'file', filename: made.secretFile } }),
    }
    const name = names[spelling] ?? ''
    const backing = spelling === 'json' ? `json:${name}` : name
    qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', backing, join(made.images, 'evil.qcow2'), '1M')
    await refused(made, 'evil.qcow2', 'IMAGES_REFERENCE_OUTSIDE')
  })
}

test('a chain that bites its own tail is refused', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const made = await bench(t)
  for (const [name, below] of [
    ['a', 'b'],
    ['b', 'a'],
  ]) {
    qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', `${below}.qcow2`, join(made.images, `${name}.qcow2`), '1M')
  }
  await refused(made, 'a.qcow2', 'IMAGES_REFERENCE_UNSUPPORTED')
})

test('a qcow2 with its data in another file is refused', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const made = await bench(t)
  const evil = join(made.images, 'evil.qcow2')
  qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${join(made.other, 'data')},data_file_raw=on`, evil, '1M')
  await refused(made, 'evil.qcow2', 'IMAGES_REFERENCE_UNSUPPORTED')
})

for (const extent of ['../other/secret.raw', 'innocent.raw', '{secret}']) {
  test(`a vmdk descriptor cannot pull in ${extent}`, async (t) => {
    const made = await bench(t)
    await symlink(made.secretFile, join(made.images, 'innocent.raw'))
    const file = extent.replace('{secret}', made.secretFile)
    await writeFile(
      join(made.images, 'evil.vmdk'),
      `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "${file}" 0\n`,
    )
    await refused(made, 'evil.vmdk', 'IMAGES_REFERENCE_OUTSIDE')
  })
}

test('a vmdk that is a delta of another disk is refused', async (t) => {
  const made = await bench(t)
  const descriptor = `# Disk DescriptorFile\nversion=1\nparentCID=12345678\nparentFileNameHint="${made.secretFile}"\ncreateType="monolithicFlat"\nRW 2048 FLAT "flat.raw" 0\n`
  await writeFile(join(made.images, 'flat.raw'), Buffer.alloc(1024 * 1024))
  await writeFile(join(made.images, 'delta.vmdk'), descriptor)
  await refused(made, 'delta.vmdk', 'IMAGES_REFERENCE_UNSUPPORTED')
})

test('a sparse extent that is itself a descriptor is refused', async (t) => {
  const made = await bench(t)
  const inner = `# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "${made.secretFile}" 0\n`
  await writeFile(join(made.images, 'inner.vmdk'), inner)
  await writeFile(join(made.images, 'outer.vmdk'), inner.replace(/RW.*/, 'RW 2048 SPARSE "inner.vmdk"'))
  await refused(made, 'outer.vmdk', 'IMAGES_REFERENCE_UNSUPPORTED')
})

test('links, directories, pipes and paths that lead out are no images', async (t) => {
  const made = await bench(t)
  const { provider, images, other, secretFile } = made
  await symlink(secretFile, join(images, 'link.raw'))
  await symlink(other, join(images, 'folder'))
  await mkdir(join(images, 'directory.raw'))
  execFileSync('mkfifo', [join(images, 'pipe.raw')])
  for (const id of [
    'link.raw',
    'folder/secret.raw',
    'directory.raw',
    'pipe.raw',
    '../other/secret.raw',
    '../nowhere.raw',
    secretFile,
    '.',
    'a\0b',
  ]) {
    const code = id === secretFile ? 'IMAGES_NOT_FOUND' : 'IMAGES_UNSAFE_ENTRY'
    await assert.rejects(provider.getVm(id), { code }, id)
    await refused(made, id, code)
  }
  const listed = await provider.listVms()
  assert.deepEqual(
    listed.map((vm) => [vm.id, vm.metadata['problem'] !== undefined]),
    [
      ['link.raw', true],
      ['pipe.raw', true],
    ],
  )
})

test('a link that stays inside the directory is followed', async (t) => {
  const { provider, images, staging, other } = await imageBench(t)
  await writeFile(join(images, 'real.raw'), 'x'.repeat(600))
  await symlink('real.raw', join(images, 'alias.raw'))
  await collect(provider.exportVm({ export_id: 'e', id: 'alias.raw', format: 'raw', staging_dir: staging }), join(other, 'out'))
  await using out = await open(join(other, 'out'))
  assert.equal((await out.stat()).size, 600)
})

test('a raw disk whose guest wrote an image header into it stays raw when its sidecar says so', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const made = await bench(t)
  const { provider, images, staging, other } = made
  qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', made.secretFile, join(images, 'guest.raw'), '1M')
  await refused(made, 'guest.raw', 'IMAGES_REFERENCE_OUTSIDE')
  await writeFile(join(images, 'guest.json'), JSON.stringify({ format: 'raw' }))
  const items = await collect(
    provider.exportVm({ export_id: 'e', id: 'guest.raw', format: 'raw', staging_dir: staging }),
    join(other, 'out'),
  )
  assert.equal(items.find((item) => item.kind === 'disk')?.source_format, 'raw')
  await rm(join(images, 'guest.json'))
})
