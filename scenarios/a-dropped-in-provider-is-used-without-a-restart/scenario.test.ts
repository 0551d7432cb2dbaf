import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

test('a provider folder that is dropped in while the daemon runs is listed and exports without a restart', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const daemon = await Hypervisord.start(places)
  const missing = await daemon.get('/api/providers/slow/vms')
  assert.deepEqual([missing.status, missing.body.code], [404, 'PROVIDER_PLUGIN_MISSING'])

  assert.match(daemon.output, /the instance slow is of type slow, which no plugin provides now/)

  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  await daemon.until(async () => (await daemon.plugin('slow')) !== undefined)
  assert.equal((await daemon.plugin('slow')).status, 'loaded')

  const listed = (await daemon.get('/api/providers')).body.providers.find((one: { type: string }) => one.type === 'slow')
  assert.equal(listed.plugin, 'acme/slow')
  assert.deepEqual(listed.instances, [{ name: 'slow', configured: true }])
  const capabilities = (await daemon.get('/api/providers/slow/capabilities')).body
  assert.deepEqual(capabilities.supported_formats, ['raw'])
  assert.equal((await daemon.plugin('slow')).generation, 0, 'listing and capabilities start nothing')

  const vms = (await daemon.get('/api/providers/slow/vms?name_pattern=slow*&tag.version=1.0.0')).body
  assert.deepEqual([vms.count, vms.vms[0].state, vms.vms[0].provider], [1, 'running', 'slow'])
  assert.equal(
    (await daemon.get('/api/providers/slow/vms?min_cpus=64')).body.count,
    0,
    'filters count although the plugin ignores them',
  )
  assert.equal((await daemon.get('/api/providers/slow/vms/vm%2F1')).body.id, 'vm/1')
  assert.equal((await daemon.get('/api/providers/slow/vms/search?q=machine')).body.count, 1)

  await letGo(places.control)
  const job = await daemon.ended(await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'first' }))
  assert.equal(job.status, 'completed', job.error)
  assert.equal(job.result.checksum, checksumOf('1.0.0'))
  const bytes = await readFile(job.result.files[0])
  assert.equal(createHash('sha256').update(bytes).digest('hex'), job.result.checksum)
  assert.equal(await daemon.stop(), 0)
})
