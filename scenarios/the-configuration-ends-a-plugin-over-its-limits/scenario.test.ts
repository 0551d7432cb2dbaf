import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

/** Holds ever more memory when it is asked for one machine; to be sampled, it answers meanwhile. */
const greedy = `getVm: async () => {
  const held = []
  for (;;) {
    held.push(new Array(500_000).fill(1))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
},`

test('a plugin over the memory the file gives dropped-in ones is ended and named, stays in quarantine over a restart when the file says so, and is released by hand', async (t) => {
  const limits = 'limits: { memory: 96MiB }, on_limit: { memory: quarantine }'
  const places = await makePlaces(t, `plugins: { directories: [./plugins], ${limits} }\n`)
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: greedy })
  await writeSlowProvider(join(places.plugins, 'near'), { version: '1.0.0', id: 'acme/near', name: 'near' })
  const first = await Hypervisord.start(places)
  assert.equal((await first.get('/api/providers/slow/vms')).status, 200)
  assert.equal((await first.plugin('slow')).limits.memory_mib, 96)
  const ended = await first.get('/api/providers/slow/vms/vm%2F1')
  assert.equal(ended.status >= 500, true, ended.text)
  assert.match(ended.text, /acme\/slow/)
  await first.until(async () => (await first.plugin('slow')).state === 'quarantined')
  assert.match((await first.plugin('slow')).reason, /memory/)
  assert.match(first.output, /"limit":"memory"[^\n]*"action":"quarantine"|"action":"quarantine"[^\n]*"limit":"memory"/)
  assert.equal((await first.plugin('near')).status, 'loaded', 'its neighbour has nothing to do with it')
  assert.equal(await first.stop(), 0)

  const second = await Hypervisord.start(places)
  const { state, reason } = await second.plugin('slow')
  assert.equal(state, 'quarantined')
  assert.match(reason, /memory/)
  assert.equal((await second.get('/api/providers/slow/vms')).status, 503)
  assert.equal((await second.post('/api/plugins/slow/release')).status, 200)
  assert.equal((await second.get('/api/providers/slow/vms')).status, 200)
  assert.equal((await second.post('/api/plugins/slow/release')).body.code, 'PLUGIN_NOT_QUARANTINED')
})

test('plugins of a namespace share its limit of calls, and what is said of one plugin counts for it alone', async (t) => {
  const namespaces = 'namespaces: { acme: { plugins: [acme/*], limits: { concurrency: 1 } } }'
  const one = 'per_plugin: { near: { limits: { memory: 120MiB } } }'
  const places = await makePlaces(t, `plugins: { directories: [./plugins], ${namespaces}, ${one} }\n`)
  const waiting = 'getVm: () => new Promise(() => undefined),'
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: waiting })
  await writeSlowProvider(join(places.plugins, 'near'), { version: '1.0.0', id: 'acme/near', name: 'near' })
  await Hypervisord.configure(places, (text) => text.replace('providers:\n', 'providers:\n  near: {}\n'))
  const daemon = await Hypervisord.start(places)
  for (const name of ['slow', 'near']) assert.equal((await daemon.get(`/api/providers/${name}/vms`)).status, 200)
  const [slow, near] = [await daemon.plugin('slow'), await daemon.plugin('near')]
  assert.deepEqual([slow.namespace, near.namespace], ['acme', 'acme'])
  assert.deepEqual([slow.limits.memory_mib, near.limits.memory_mib], [192, 120])
  const held = daemon.get('/api/providers/slow/vms/vm%2F1').catch(() => undefined)
  await daemon.until(async () => (await daemon.plugin('slow')).counters.active === 1)
  const refused = await daemon.get('/api/providers/near/vms')
  assert.deepEqual([refused.status, refused.body.code], [429, 'NAMESPACE_LIMIT'], refused.text)
  await daemon.kill()
  await held
})
