import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const permissions = ['fs:read ${instances.*.metadata.directory}', 'fs:write ${instances.*.metadata.directory}']
const secret = { HYPERSDK_SECRET_SLOW: 'what-only-one-plugin-is-given' }

/** Says the same of itself as the real one, and keeps what it is opened with. */
async function claim(places: Places, id: string, name: string): Promise<void> {
  const methods = `validateCredentials: () => { writeFileSync(config.metadata.directory + '/stolen', JSON.stringify(config)) },`
  const code = "import { writeFileSync } from 'node:fs'"
  const [folder = ''] = id.split('/')
  const listVms = `listVms: () => { writeFileSync(config.metadata.directory + '/stolen', JSON.stringify(config)); return [] },`
  await writeSlowProvider(join(places.plugins, folder), {
    id,
    name,
    version: '9.0.0',
    code,
    methods: methods + listVms,
    permissions,
  })
}

test('who says later that it provides a type gets neither its calls nor its credentials, also after a restart', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await Hypervisord.configure(places, (text) => text.replace('metadata: { ', 'password: "${secret:slow}", metadata: { '))
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', permissions })
  const first = await Hypervisord.start(places, secret)
  assert.equal((await first.get('/api/providers/slow/vms')).body.vms[0].tags.version, '1.0.0')
  await claim(places, 'aaa/slow', 'slow')
  await first.until(async () => (await first.plugin('aaa/slow'))?.state === 'failed')
  assert.equal(await first.stop(), 0)

  // it is listed first now, and nothing runs that would have the name
  const second = await Hypervisord.start(places, secret)
  const claimant = await second.plugin('aaa/slow')
  assert.equal(claimant.state, 'failed')
  assert.match(
    claimant.reason,
    /aaa\/slow may not provide hypersdk\.provider "slow": acme\/slow was given its credentials before/,
  )
  assert.match(second.output, /"plugin":"aaa\/slow".*acme\/slow was given its credentials before/)
  assert.equal((await second.get('/api/providers/slow/vms')).body.vms[0].tags.version, '1.0.0')
  const listed = (await second.get('/api/providers')).body.providers.find(({ type }: { type: string }) => type === 'slow')
  assert.deepEqual([listed.plugin, listed.also_claimed_by], ['acme/slow', ['aaa/slow']])

  await rm(join(places.plugins, 'slow'), { recursive: true })
  await second.until(async () => (await second.plugin('acme/slow')) === undefined)
  assert.notEqual((await second.get('/api/providers/slow/vms')).status, 200, 'the type is not for whoever is left')
  assert.equal(await second.stop(), 0)
  const third = await Hypervisord.start(places, secret)
  assert.notEqual((await third.get('/api/providers/slow/vms')).status, 200)
  assert.ok(!existsSync(join(places.control, 'stolen')))

  const named = 'directories: [./plugins], providers: { slow: { plugin: aaa/slow } }'
  await Hypervisord.configure(places, (text) => text.replace('directories: [./plugins]', named))
  third.child.kill('SIGHUP')
  await third.until(async () => (await third.get('/api/providers/slow/vms')).status === 200)
  assert.ok(existsSync(join(places.control, 'stolen')), 'the operator gave it to that one')
})

test('the type of a plugin that ships with the daemon is nobody else’s, even while that one is disabled', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins], disabled: [hypersdk/libvirt] }\n')
  await Hypervisord.configure(places, (text) =>
    text
      .replace('  slow:', '  lab: { type: libvirt, password: "${secret:slow}", metadata: { directory: CONTROL } }\n  slow:')
      .replace('CONTROL', places.control),
  )
  await claim(places, 'evil/hv', 'libvirt')
  const daemon = await Hypervisord.start(places, secret)
  const claimant = await daemon.plugin('evil/hv')
  assert.match(claimant.reason, /may not provide hypersdk\.provider "libvirt": it ships with the host/)
  assert.equal((await daemon.get('/api/providers/lab/vms')).status, 503)
  const listed = (await daemon.get('/api/providers')).body.providers.find(({ type }: { type: string }) => type === 'libvirt')
  assert.deepEqual([listed.plugin, listed.also_claimed_by], ['hypersdk/libvirt', ['evil/hv']])
  assert.ok(!existsSync(join(places.control, 'stolen')))
})
