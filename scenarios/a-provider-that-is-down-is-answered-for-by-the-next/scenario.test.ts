import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

const settings = 'plugins: { directories: [./plugins], fallbacks: { slow: [gone, spare] } }\n'

/** `slow` is down as long as the file `down` is in the instance's directory; the spare one is of version 2. */
async function daemonWithSpare(t: TestContext): Promise<{ daemon: Hypervisord; places: Places }> {
  const places = await makePlaces(t, settings)
  const listVms = `listVms: () => {
        if (existsSync(config.metadata.directory + '/dies')) process.exit(7)
        if (existsSync(config.metadata.directory + '/down')) throw new Error('the backend is down')
        return [machine]
      },`
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: listVms })
  const other = { id: 'acme/spare', name: 'spare', version: '2.0.0' }
  await writeSlowProvider(join(places.plugins, 'spare'), other)
  return { daemon: await Hypervisord.start(places), places }
}

const machines = '/api/providers/slow/vms'

test('while a provider’s breaker is open its instance is answered for by the next one in order, with the same settings', async (t) => {
  const { daemon, places } = await daemonWithSpare(t)
  assert.equal((await daemon.get(machines)).body.vms[0].tags.version, '1.0.0')
  await writeFile(join(places.control, 'down'), '')
  for (let time = 0; time < 5; time += 1) assert.notEqual((await daemon.get(machines)).status, 200)
  const answer = await daemon.get(machines)
  assert.deepEqual([answer.status, answer.body.vms[0].tags.version, answer.body.vms[0].provider], [200, '2.0.0', 'spare'])
  await daemon.until(async () => /slow is not asked.*spare/.test(daemon.output))
  await letGo(places.control)
  const job = await daemon.ended(await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'first' }))
  assert.deepEqual([job.status, job.result?.checksum], ['completed', checksumOf('2.0.0')], job.error)
  assert.equal(await daemon.stop(), 0)
})

test('a provider in quarantine is answered for by the next one, also after a restart, and answers again once released', async (t) => {
  const { daemon, places } = await daemonWithSpare(t)
  assert.equal((await daemon.get(machines)).status, 200)
  await writeFile(join(places.control, 'dies'), '')
  await daemon.until(async () => {
    await daemon.get(machines)
    return (await daemon.plugin('slow')).state === 'quarantined'
  })
  assert.equal((await daemon.get(machines)).body.vms[0].tags.version, '2.0.0')
  assert.equal(await daemon.stop(), 0)
  const again = await Hypervisord.start(places)
  assert.equal((await again.get(machines)).body.vms[0].tags.version, '2.0.0')
  await rm(join(places.control, 'dies'))
  assert.equal((await again.send('POST', '/api/plugins/acme%2Fslow/release')).status, 200)
  assert.equal((await again.get(machines)).body.vms[0].tags.version, '1.0.0')
  assert.equal(await again.stop(), 0)
})

test('a next provider that does not open with the settings of the first is refused with both names', async (t) => {
  const { daemon, places } = await daemonWithSpare(t)
  await writeSlowProvider(join(places.plugins, 'spare'), {
    id: 'acme/spare',
    name: 'spare',
    version: '2.0.1',
    methods: "...(() => { throw new Error('needs an endpoint') })(),",
  })
  await daemon.until(async () => (await daemon.plugin('spare')).version === '2.0.1')
  assert.equal((await daemon.get(machines)).status, 200)
  await daemon.send('POST', '/api/plugins/acme%2Fslow/disable')
  const refused = await daemon.get(machines)
  assert.deepEqual([refused.status, refused.body.code], [503, 'PROVIDER_FALLBACK_REFUSED'], refused.text)
  assert.match(refused.body.detail, /slow.*spare.*needs an endpoint/)
  assert.equal(await daemon.stop(), 0)
})
