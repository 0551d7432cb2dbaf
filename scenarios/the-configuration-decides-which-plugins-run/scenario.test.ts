import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

test('an allow-list given as the second enabled key decides, and the plugin path of the environment counts', async (t) => {
  const places = await makePlaces(t, 'plugins:\n  directories: [./plugins]\n  enabled: true\n  enabled: [slow]\n')
  await writeSlowProvider(join(places.root, 'more/slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places, { HYPERSDK_PLUGIN_PATH: join(places.root, 'more') })
  assert.match(daemon.output, /enabled is given twice/)
  assert.equal((await daemon.plugin('slow')).status, 'loaded')
  const libvirt = await daemon.plugin('libvirt')
  assert.deepEqual([libvirt.status, libvirt.origin], ['disabled', 'bundled'])
  assert.match(libvirt.reason, /allow-list/)
  const types = (await daemon.get('/api/providers')).body.providers.filter((one: { available: boolean }) => one.available)
  assert.deepEqual(
    types.map((one: { type: string }) => one.type),
    ['slow'],
  )
})

test('with plugins switched off only the bundled ones are there', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins], enabled: false }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const plugins = (await daemon.get('/api/plugins')).body.plugins
  assert.deepEqual(
    plugins.map((one: { id: string }) => one.id),
    ['hypersdk/digitalocean', 'hypersdk/disk-images', 'hypersdk/libvirt'],
  )
})

test('a disabled plugin takes no calls and says so, until it is enabled again', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
  await daemon.post('/api/plugins/slow/disable', { reason: 'token rotated' })
  const refused = await daemon.get('/api/providers/slow/vms')
  assert.deepEqual([refused.status, refused.body.code], [503, 'PROVIDER_UNAVAILABLE'], refused.text)
  assert.match(refused.body.detail, /token rotated/)
  const job = await daemon.post('/jobs/submit', { provider: 'slow', vm_id: 'vm/1' })
  assert.deepEqual([job.status, job.body.errors[0].code], [400, 'PROVIDER_UNAVAILABLE'], 'no job waits for it either')
  await daemon.post('/api/plugins/slow/enable')
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
})
