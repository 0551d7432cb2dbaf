import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { writeSlowProvider, type SlowProvider } from '../support/slow-provider.ts'

/** In the trusted tier nothing would keep the import from writing: only not running it does. */
const trusted = 'providers: { slow: { tier: trusted }, other: { tier: trusted }, fine: { tier: trusted } }'

function marking(places: Places, name: string): SlowProvider {
  const code = `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(join(places.root, name))}, '')\n`
  return { id: `acme/${name}`, name, version: '1.0.0', code, permissions: [] }
}

test('of a deny-listed plugin, or one for another API, not even the import runs', async (t) => {
  const places = await makePlaces(t, `plugins: { directories: [./plugins], disabled: [slow], ${trusted} }\n`)
  await writeSlowProvider(join(places.plugins, 'slow'), marking(places, 'slow'))
  await writeSlowProvider(join(places.plugins, 'other'), { ...marking(places, 'other'), api: '^2.0.0' })
  await writeSlowProvider(join(places.plugins, 'fine'), marking(places, 'fine'))
  const daemon = await Hypervisord.start(places)
  for (const name of ['slow', 'other', 'fine']) {
    await daemon.get(`/api/providers/${name}/vms`)
    await daemon.post(`/api/plugins/acme/${name}/reload`)
  }
  assert.ok(existsSync(join(places.root, 'fine')), 'the same plugin, when it may run, writes its file')
  assert.ok(!existsSync(join(places.root, 'slow')))
  assert.ok(!existsSync(join(places.root, 'other')))

  const denied = await daemon.plugin('slow')
  assert.equal(denied.status, 'disabled')
  assert.match(denied.reason, /deny|disabled/)
  const incompatible = await daemon.plugin('other')
  assert.equal(incompatible.status, 'failed')
  assert.equal(incompatible.failure.code, 'API_INCOMPATIBLE')
  assert.equal(await daemon.stop(), 0)
})
