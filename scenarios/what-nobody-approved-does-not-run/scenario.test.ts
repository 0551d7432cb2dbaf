import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { GrantsFile } from '@backplane/sources'
import { directoryFetcher } from '@backplane/sources/install'
import { generateKey, signPackage, type KeyPair } from '@backplane/trust'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const { signal } = new AbortController()
const place = '${instances.*.metadata.directory}'
const permissions = [`fs:read ${place}`, `fs:write ${place}`]

/** A provider that leaves a mark as soon as a line of it runs. */
async function drop(places: Places, version: string): Promise<{ readonly folder: string; readonly mark: string }> {
  const folder = join(places.plugins, 'slow')
  const mark = join(places.control, `ran-${version}`)
  const code = `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(mark)}, '')`
  await writeSlowProvider(folder, { version, code, permissions })
  return { folder, mark }
}

async function sign(folder: string, version: string, key: KeyPair): Promise<void> {
  const [found] = await directoryFetcher().versions(folder, { signal })
  assert.ok(found?.place.kind === 'directory')
  const envelope = signPackage({ id: 'acme/slow', version, digest: found.place.digest, signedAtMs: Date.now() }, key.privateKey)
  await mkdir(join(folder, '.backplane'), { recursive: true })
  await writeFile(join(folder, '.backplane', 'acme.json'), JSON.stringify(envelope))
}

// Each has a daemon of its own, and waits more than it works.
describe('what nobody approved', { concurrency: 2 }, () => {
  test('without its permissions approved and a signature of a trusted publisher, no line of a dropped-in plugin runs', async (t) => {
    const places = await makePlaces(t, 'plugins: { directories: [./plugins], trust_policy: ./trust.json }\n')
    const key = generateKey()
    const policy = {
      keys: { release: { publicKey: key.publicKey } },
      publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'release' }] }],
    }
    await writeFile(join(places.root, 'trust.json'), JSON.stringify(policy))
    const { folder, mark } = await drop(places, '1.0.0')
    const daemon = await Hypervisord.start(places, {}, [], [])
    const call = (): ReturnType<Hypervisord['get']> => daemon.get('/api/providers/slow/vms')

    const blocked = await daemon.plugin('slow')
    assert.equal(blocked.state.name ?? blocked.state, 'blocked', JSON.stringify(blocked))
    assert.match(blocked.reason, /asks for permissions that nobody approved: fs:read/)
    assert.equal((await call()).status, 503)

    const grants = new GrantsFile(join(places.root, 'data', 'grants.json'))
    await grants.load()
    await grants.approve('acme/slow', permissions, 'ops', signal)
    daemon.child.kill('SIGHUP')
    await daemon.until(async () => (await daemon.plugin('slow')).state !== 'blocked')
    const early = await daemon.get('/api/plugins/acme/slow/why')
    assert.match(early.text, /its first call will be refused.*TRUST_REFUSED/, 'before anybody called it')
    assert.equal((await daemon.plugin('slow')).state, 'idle')
    const unsigned = await call()
    assert.equal(unsigned.status, 503, unsigned.text)
    const why = await daemon.get('/api/plugins/acme/slow/why')
    assert.match(why.text, /TRUST_REFUSED/)
    assert.match(why.text, /Acme/)

    await sign(folder, '0.9.0', key)
    await daemon.post('/api/plugins/slow/reload')
    assert.equal((await call()).status, 503, 'the signature is of another version')
    assert.ok(!existsSync(mark), 'no line of it ran')

    await sign(folder, '1.0.0', key)
    await daemon.post('/api/plugins/slow/reload')
    const served = await call()
    assert.equal(served.status, 200, served.text)
    assert.ok(existsSync(mark))
    assert.deepEqual((await daemon.plugin('slow')).trust, { level: 'signed', publisher: 'Acme', waived: [] })

    const second = await drop(places, '2.0.0')
    await daemon.until(async () => (await daemon.plugin('slow')).held !== null)
    assert.equal((await call()).status, 200, 'the signed version serves on')
    assert.ok(!existsSync(second.mark), 'no line of the unsigned update ran')

    const advisory = { id: 'ACME-1', plugin: 'acme/slow', versions: '<2.0.0', summary: 'it leaks', action: 'disable' }
    await writeFile(join(places.root, 'trust.json'), JSON.stringify({ ...policy, advisories: [advisory] }))
    daemon.child.kill('SIGHUP')
    await daemon.until(async () => (await call()).status === 503)
    // it is tried once more, and refused with the advisory
    await daemon.until(async () => (await daemon.get('/api/plugins/acme/slow/why')).text.includes('ACME-1'))
    assert.equal(await daemon.stop(), 0)
  })

  test('a trust policy that cannot be read keeps the daemon from starting, with the problem named', async (t) => {
    const places = await makePlaces(t, 'plugins: { trust_policy: ./trust.json }\n')
    await writeFile(join(places.root, 'trust.json'), '{"publisers": []}')
    await assert.rejects(
      Hypervisord.start(places, {}, [], []),
      /trust\.json cannot be used: .*publisers: is not known; did you mean "publishers"/s,
    )
    await rm(join(places.root, 'trust.json'))
    await assert.rejects(Hypervisord.start(places, {}, [], []), /CONFIG_TRUST_POLICY/)
  })

  test('what development takes without a signature is told at the start and in every record', async (t) => {
    const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
    await drop(places, '1.0.0')
    const daemon = await Hypervisord.start(places)
    assert.match(daemon.output, /"msg":"development: plugins in these directories need no signature and may do all they ask for"/)
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
    const { trust } = await daemon.plugin('slow')
    assert.equal(trust.level, 'unsigned')
    assert.match(trust.waived.join('; '), /allowUnsigned: directory:.*counts as approved/s)
  })

  test('a policy that takes trust back stops what runs on SIGHUP, also where the configuration beside it is broken', async (t) => {
    const places = await makePlaces(t, 'plugins: { directories: [./plugins], trust_policy: ./trust.json }\n')
    const policy = join(places.root, 'trust.json')
    await writeFile(policy, '{"allowUnsigned": true}')
    await drop(places, '1.0.0')
    const grants = new GrantsFile(join(places.root, 'data', 'grants.json'))
    await grants.load()
    await grants.approve('acme/slow', permissions, 'ops', signal)
    const daemon = await Hypervisord.start(places, {}, [], [])
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
    await writeFile(policy, '{"allowUnsigned": true, "deny": ["acme/*"]}')
    await Hypervisord.configure(places, (yaml) => yaml.replace('exports:', 'expotrs:'))
    daemon.child.kill('SIGHUP')
    await daemon.until(async () => /not reloaded; what was read before goes on/.test(daemon.output))
    assert.match(daemon.output, /policy and the approvals were read again and count; the configuration was not/)
    assert.match((await daemon.plugin('slow')).reason, /refused: it is on the deny-list/)
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 503)
    const records = (await daemon.get('/api/audit?action=trust.reload')).body.records
    assert.equal(records[0]?.outcome, 'ok')
  })
})
