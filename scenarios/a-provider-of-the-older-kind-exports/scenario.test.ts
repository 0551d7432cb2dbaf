import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'

const guide = fileURLToPath(new URL('../../apps/hypersdk/host/src/seed-dialect/fixtures/guide-provider.js', import.meta.url))

test('a single file that exports PluginInfo and NewProvider is dropped in, listed and exports', async (t) => {
  const places = await makePlaces(
    t,
    '  mine: { type: myprovider, metadata: { directory: CONTROL } }\nplugins: { directories: [./plugins] }\n',
  )
  await Hypervisord.configure(places, (text) => text.replace('CONTROL', places.control))
  const disk = Buffer.alloc(256 * 1024, 'seed')
  await writeFile(join(places.control, 'web.raw'), disk)
  const daemon = await Hypervisord.start(places)
  await copyFile(guide, join(places.plugins, 'myprovider.mjs'))
  await daemon.until(async () => (await daemon.plugin('myprovider')) !== undefined)

  const { vms } = (await daemon.get('/api/providers/mine/vms')).body
  assert.deepEqual([vms[0].name, vms[0].state, vms[0].memory_mb], ['web', 'running', 2048])
  const job = await daemon.ended(await daemon.submit({ provider: 'mine', vm_id: 'vm-1', output_dir: 'x' }))
  assert.equal(job.status, 'completed', job.error)
  assert.equal(job.result.checksum, createHash('sha256').update(disk).digest('hex'))
  assert.deepEqual(await readFile(job.result.files[0]), disk)
})
