import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { qemuConvert, type QemuFormat } from './qemu-convert.ts'

const { signal } = new AbortController()
// No round number of anything: a format that rounds sizes up would be seen.
const sizeBytes = 3 * 512 * 1031
const formats: readonly QemuFormat[] = ['raw', 'qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi']

for (const format of formats) {
  test(`a disk comes out as ${format} with the same content, and tells how far it is`, async (t) => {
    if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
    const directory = await temporaryDirectory(t)
    const source = join(directory, 'a.raw')
    const target = join(directory, 'b')
    await writeFile(source, Buffer.alloc(sizeBytes, 'a disk '))
    const percents: number[] = []
    const done = await qemuConvert({ source, target, format, signal, onPercent: (percent) => percents.push(percent) })
    assert.deepEqual(done, { kind: 'done', output: '' })
    assert.equal(percents.at(-1), 100)
    const read = format === 'vhd' ? 'vpc' : format
    const told = execFileSync('qemu-img', ['info', '--output=json', '-f', read, target]).toString()
    assert.equal((JSON.parse(told) as Record<string, unknown>)['virtual-size'], sizeBytes)
    execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', read, source, target])
  })
}

test('the format that is named counts, not what the bytes look like', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const directory = await temporaryDirectory(t)
  const source = join(directory, 'a.qcow2')
  const convert = (sourceFormat: string): ReturnType<typeof qemuConvert> =>
    qemuConvert({ source, sourceFormat, target: join(directory, 'b'), format: 'raw', signal, onPercent: () => undefined })
  await writeFile(source, 'no image')
  const failed = await convert('qcow2')
  assert.match(failed.kind === 'failed' ? failed.reason : '', /not in qcow2 format/)
  assert.equal((await convert('raw')).kind, 'done')
})
