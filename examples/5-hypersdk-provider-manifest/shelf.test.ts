import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../../scenarios/support/hypervisord.ts'

test('the provider with a manifest is dropped into a running daemon and streams a disk', async (t) => {
  const places = await makePlaces(
    t,
    '  disks: { type: shelf, metadata: { directory: CONTROL } }\nplugins: { directories: [./plugins] }\n',
  )
  await Hypervisord.configure(places, (text) => text.replace('CONTROL', places.control))
  const disk = Buffer.alloc(3_500_000, 'a disk ')
  await writeFile(join(places.control, 'web.raw'), disk)
  const daemon = await Hypervisord.start(places)
  await cp(`${import.meta.dirname}/shelf`, join(places.plugins, 'shelf'), { recursive: true })
  await daemon.until(async () => (await daemon.plugin('shelf')) !== undefined)

  const capabilities = (await daemon.get('/api/providers/shelf/capabilities')).body
  assert.deepEqual([capabilities.supported_formats, capabilities.supports_streaming], [['raw'], true])
  const found = (await daemon.get('/api/providers/disks/vms/search?q=web')).body
  assert.equal(found.vms[0].id, 'web.raw')
  const job = await daemon.ended(await daemon.submit({ provider: 'disks', vm_id: 'web.raw', format: 'raw', output_dir: 'x' }))
  assert.equal(job.status, 'completed', job.error)
  assert.deepEqual(await readFile(job.result.files[0]), disk)
  assert.equal(job.result.checksum, createHash('sha256').update(disk).digest('hex'))
})
