import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, open, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { collect, gather, imageBench, qemuImg, writeSparseDisk, type ImageBench } from './fixtures/image-files.ts'

const size = 8 * 1024 * 1024
const drivers = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx' } as const

/** A bench with one disk, `web.raw`, and `web.qcow2` made of it; undefined when qemu-img is missing. */
async function bench(t: TestContext): Promise<ImageBench | undefined> {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return undefined
  const made = await imageBench(t)
  await writeSparseDisk(join(made.images, 'web.raw'), size)
  qemuImg('convert', '-O', 'qcow2', join(made.images, 'web.raw'), join(made.images, 'web.qcow2'))
  return made
}

for (const [format, driver] of Object.entries(drivers)) {
  test(`a qcow2 exported to ${format} holds the same disk`, async (t) => {
    const made = await bench(t)
    if (made === undefined) return
    const { provider, images, staging, other } = made
    const items = await collect(
      provider.exportVm({ export_id: 'e', id: 'web.qcow2', format, staging_dir: staging }),
      join(other, 'out'),
    )
    const file = items.find((item) => item.kind === 'file')
    const result = file === undefined ? join(other, 'out') : join(staging, file.path)
    assert.match(qemuImg('compare', '-f', 'raw', '-F', driver, join(images, 'web.raw'), result), /identical/)
    assert.equal(file === undefined, format === 'qcow2', 'only the format it already has is streamed')
    const disk = items.find((item) => item.kind === 'disk')
    assert.deepEqual([disk?.format, disk?.source_format], [format, 'qcow2'])
  })
}

for (const subformat of ['monolithicFlat', 'twoGbMaxExtentFlat', 'twoGbMaxExtentSparse']) {
  test(`a ${subformat} vmdk is one machine and comes out whole`, async (t) => {
    const made = await bench(t)
    if (made === undefined) return
    const { provider, images, staging, other } = made
    qemuImg('convert', '-O', 'vmdk', '-o', `subformat=${subformat}`, join(images, 'web.raw'), join(images, 'split.vmdk'))
    assert.deepEqual(
      (await provider.listVms()).map((vm) => vm.id),
      ['split.vmdk', 'web.qcow2', 'web.raw'],
    )
    await collect(
      provider.exportVm({ export_id: 'e', id: 'split.vmdk', format: 'raw', staging_dir: staging }),
      join(other, 'out'),
    )
    assert.match(qemuImg('compare', '-f', 'raw', '-F', 'raw', join(images, 'web.raw'), join(staging, 'disk0.raw')), /identical/)
  })
}

test('a chain of images inside the directory is flattened', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const { provider, images, staging, other } = made
  qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', 'web.qcow2', join(images, 'middle.qcow2'))
  qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', join(images, 'middle.qcow2'), join(images, 'top.qcow2'))
  await collect(provider.exportVm({ export_id: 'e', id: 'top.qcow2', format: 'qcow2', staging_dir: staging }), join(other, 'out'))
  assert.match(qemuImg('compare', join(images, 'web.raw'), join(staging, 'disk0.qcow2')), /identical/)
  assert.doesNotMatch(qemuImg('info', join(staging, 'disk0.qcow2')), /backing file/)
})

test('snapshots inside a qcow2 come along only when they are wanted and the format stays', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const { provider, images, staging, other } = made
  qemuImg('snapshot', '-c', 'before', join(images, 'web.qcow2'))
  const out = join(other, 'out')
  const request = { export_id: 'e', id: 'web.qcow2', format: 'qcow2', staging_dir: staging }
  await collect(provider.exportVm({ ...request, include_snapshots: true }), out)
  assert.match(qemuImg('snapshot', '-l', out), /before/)
  await collect(provider.exportVm(request), out)
  assert.equal(qemuImg('snapshot', '-l', join(staging, 'disk0.qcow2')), '')
  const items = await collect(provider.exportVm({ ...request, format: 'raw', include_snapshots: true }), out)
  assert.equal(items.filter((item) => item.kind === 'warning').length, 1)
})

test('an image that changes while it is exported is refused, also when its time is set back', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const { provider, images, staging, other } = made
  for (const [id, format] of [
    ['web.raw', 'raw'],
    ['web.raw', 'qcow2'],
    ['web.qcow2', 'raw'],
  ] as const) {
    const path = join(images, id)
    await using file = await open(path)
    const before = await file.stat()
    const items = provider.exportVm({ export_id: 'e', id, format, staging_dir: staging })
    while ((await items.next()).value?.kind !== 'disk') continue
    await using writer = await open(path, 'r+')
    await writer.write('X', 0)
    await utimes(path, before.atime, before.mtime)
    await assert.rejects(collect(items, join(other, 'out')), { code: 'IMAGES_CHANGED', retryable: true })
  }
})

test('an image another program writes to is refused', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const { provider, images, staging, other } = made
  const writer = spawn('qemu-io', ['-f', 'qcow2', join(images, 'web.qcow2')], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => writer.kill())
  writer.stdin.write('length\n')
  await once(writer.stdout, 'data')
  const items = provider.exportVm({ export_id: 'e', id: 'web.qcow2', format: 'raw', staging_dir: staging })
  await assert.rejects(collect(items, join(other, 'out')), { code: 'IMAGES_IN_USE' })
  writer.stdin.end('quit\n')
  await once(writer, 'close')
})

test('what qemu-img says when it fails reaches the user', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const { provider, images, staging, other } = made
  await using file = await open(join(images, 'web.qcow2'), 'r+')
  await file.write(Buffer.from([0xff, 0xff]), 0, 2, 40)
  const items = provider.exportVm({ export_id: 'e', id: 'web.qcow2', format: 'raw', staging_dir: staging })
  await assert.rejects(collect(items, join(other, 'out')), { code: 'IMAGES_PROGRAM_FAILED', message: /L1 table/ })
})

test('a cancelled export ends with the reason of the cancel and starts nothing more', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const { provider, staging } = made
  for (const format of ['raw', 'qcow2']) {
    const cancel = new AbortController()
    const items = provider.exportVm({ export_id: 'e', id: 'web.raw', format, staging_dir: staging }, cancel.signal)
    while ((await items.next()).value?.kind !== 'disk') continue
    cancel.abort(new Error('not wanted any more'))
    await assert.rejects(gather(items), /not wanted any more/)
  }
  assert.deepEqual(await readdir(staging), [])
})

test("archive formats are the host's to make, not this plugin's", async (t) => {
  const { provider, images, staging } = await imageBench(t)
  await writeFile(join(images, 'a.raw'), 'x')
  const items = provider.exportVm({ export_id: 'e', id: 'a.raw', format: 'ova', staging_dir: staging })
  await assert.rejects(items.next(), { code: 'IMAGES_FORMAT_UNSUPPORTED' })
  await appendFile(join(images, 'a.raw'), 'y')
})
