import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../../scenarios/support/hypervisord.ts'

test('the provider in one file is dropped into a running daemon and exports a disk', async (t) => {
  const places = await makePlaces(
    t,
    '  shelf: { type: folder, metadata: { directory: CONTROL } }\nplugins: { directories: [./plugins] }\n',
  )
  await Hypervisord.configure(places, (text) => text.replace('CONTROL', places.control))
  const disk = Buffer.alloc(300_000, 'a disk ')
  await writeFile(join(places.control, 'web.raw'), disk)
  const daemon = await Hypervisord.start(places)
  await copyFile(`${import.meta.dirname}/folder.mjs`, join(places.plugins, 'folder.mjs'))
  await daemon.until(async () => (await daemon.plugin('folder')) !== undefined)

  const { vms } = (await daemon.get('/api/providers/shelf/vms')).body
  assert.deepEqual(
    vms.map((vm: { name: string; state: string }) => [vm.name, vm.state]),
    [['web.raw', 'stopped']],
  )
  const job = await daemon.ended(await daemon.submit({ provider: 'shelf', vm_id: 'web.raw', format: 'raw', output_dir: 'x' }))
  assert.equal(job.status, 'completed', job.error)
  assert.deepEqual(await readFile(job.result.files[0]), disk)
  assert.equal(job.result.checksum, createHash('sha256').update(disk).digest('hex'))

  const refused = await daemon.post('/jobs/submit', { provider: 'shelf', vm_id: 'web.raw', format: 'qcow2', output_dir: 'y' })
  assert.equal(refused.body.errors[0].code, 'JOB_FORMAT_UNSUPPORTED')
})
