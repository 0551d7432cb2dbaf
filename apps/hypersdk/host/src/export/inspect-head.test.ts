import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { requireProgram } from '@backplane/testing'
import type { DiskFormat, ExportItem } from '@hypersdk/points'
import { makeBed, type Bed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'

const run = promisify(execFile)
const qemuNames = { qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx' } as const

async function image(bed: Bed, format: keyof typeof qemuNames, options: readonly string[] = [], size = '1M'): Promise<Buffer> {
  const path = join(bed.root, `${format}.img`)
  await run('qemu-img', ['create', '-q', '-f', qemuNames[format], ...options, path, ...(size === '' ? [] : [size])])
  return readFile(path)
}

async function exported(t: TestContext, format: DiskFormat, bytes: Buffer): ReturnType<typeof runExport> {
  const bed = await makeBed(t)
  const exportVm = async function* (): AsyncGenerator<ExportItem> {
    yield { kind: 'disk', disk: 'a', format, size_bytes: null }
    yield { kind: 'bytes', disk: 'a', offset: 0, bytes: new Uint8Array(bytes) }
  }
  return runExport(bed.input(exportVm, { options: { format } }))
}

for (const format of Object.keys(qemuNames) as (keyof typeof qemuNames)[]) {
  test(`a ${format} image that stands alone is exported as it is`, async (t) => {
    if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
    const bytes = await image(await makeBed(t), format)
    const result = await exported(t, format, bytes)
    assert.equal((await stat(result.output_path)).size, bytes.length)
  })
}

for (const format of ['qcow2', 'vmdk', 'vdi', 'vhdx'] as const) {
  test(`bytes that are no ${format} are not exported as one`, async (t) => {
    await assert.rejects(exported(t, format, Buffer.alloc(4096, 7)), { code: 'EXPORT_FORMAT_MISMATCH', plugin: 'test/memory' })
    await assert.rejects(exported(t, format, Buffer.alloc(10_000_000)), { code: 'EXPORT_FORMAT_MISMATCH' })
  })
}

for (const [title, format, options] of [
  ['an overlay', 'qcow2', ['-b', 'base.img', '-F', 'qcow2']],
  ['an image with its data elsewhere', 'qcow2', ['-o', 'data_file=data.raw']],
  ['a descriptor of split extents', 'vmdk', ['-o', 'subformat=monolithicFlat']],
] as const) {
  test(`${title} (${format}) is refused: without the other file it is nothing`, async (t) => {
    if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
    const bed = await makeBed(t)
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', join(bed.root, 'base.img'), '1M'])
    await writeFile(join(bed.root, 'data.raw'), '')
    const given = options.map((option) => option.replace('data_file=', `data_file=${bed.root}/`))
    await assert.rejects(exported(t, format, await image(bed, format, given)), { code: 'EXPORT_NOT_SELF_CONTAINED' })
  })
}

test('snapshots of vmdk, vdi and vhd that need their parent are refused', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const bed = await makeBed(t)
  const vdi = await image(bed, 'vdi')
  vdi.writeUInt32LE(4, 0x4c)
  const vhd = await image(bed, 'vhd')
  vhd.writeUInt32BE(4, 60)
  const vmdk = Buffer.from(
    (await image(bed, 'vmdk')).toString('latin1').replace('parentCID=ffffffff', 'parentCID=1234abcd'),
    'latin1',
  )
  for (const [format, bytes] of [['vdi', vdi], ['vhd', vhd], ['vmdk', vmdk]] as const) {
    await assert.rejects(exported(t, format, bytes), { code: 'EXPORT_NOT_SELF_CONTAINED' }, format)
  } // prettier-ignore
})

test('a raw disk may hold anything, even the first bytes of an image', async (t) => {
  assert.equal((await exported(t, 'raw', Buffer.from('QFI\u00fb', 'latin1'))).size, 4)
})
