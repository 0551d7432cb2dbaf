import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

test('in safe mode a dropped-in plugin is listed as disabled and never runs a line, and bundled ones serve', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const images = `providers:\n  images: { type: disk-images, metadata: { directory: ${places.control} } }`
  await Hypervisord.configure(places, (text) => text.replace('providers:', images))
  await writeFile(join(places.control, 'web.raw'), 'x'.repeat(512))
  const mark = join(places.control, 'ran')
  const code = `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(mark)}, '')`
  const place = '${instances.*.metadata.directory}'
  const permissions = [`fs:read ${place}`, `fs:write ${place}`]
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', code, permissions })

  const usual = await Hypervisord.start(places)
  assert.equal((await usual.get('/api/providers/slow/vms')).status, 200)
  assert.ok(existsSync(mark), 'without the flag it runs')
  assert.equal(await usual.stop(), 0)
  await rm(mark)

  const safe = await Hypervisord.start(places, {}, [], ['--safe-mode'])
  assert.match(safe.output, /"left_out":\["acme\/slow"\],"msg":"safe mode: plugins that were dropped in are not started"/)
  const { status, reason } = await safe.plugin('slow')
  assert.deepEqual([status, reason], ['disabled', 'the host runs in safe mode, without external plugins'])
  const refused = await safe.get('/api/providers/slow/vms')
  assert.deepEqual([refused.status, refused.body.code], [503, 'PROVIDER_UNAVAILABLE'], refused.text)
  await safe.post('/api/plugins/slow/enable')
  await safe.post('/api/plugins/slow/reload')
  await safe.post('/api/plugins/reload')
  assert.equal((await safe.plugin('slow')).status, 'disabled')
  const vms = await safe.get('/api/providers/images/vms')
  assert.deepEqual(vms.status, 200, vms.text)
  assert.equal(vms.body.vms.length, 1)
  assert.equal(await safe.stop(), 0)
  assert.ok(!existsSync(mark), 'no line of it ran')
})
