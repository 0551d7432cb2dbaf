import assert from 'node:assert/strict'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KeyPair } from '@backplane/trust'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { packFolder, trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const reads = 'fs:read ${instances.*.metadata.directory}'
const writes = 'fs:write ${instances.*.metadata.directory}'

interface Stage {
  readonly places: Places
  readonly packages: string
  readonly key: KeyPair
  readonly daemon: Hypervisord
}

async function stage(t: TestContext): Promise<Stage> {
  const places = await makePlaces(
    t,
    'plugins: { directories: [./plugins], trust_policy: ./trust.json, sources: { directories: [./packages] } }\n',
  )
  const key = await trustNewKey(join(places.root, 'trust.json'))
  return { places, packages: join(places.root, 'packages'), key, daemon: await Hypervisord.start(places, {}, [], []) }
}

test('a folder and an archive are planned, approved, installed, updated and removed', async (t) => {
  const { packages, key, daemon, places } = await stage(t)
  const folder = join(packages, 'slow')
  await writeSignedProvider(folder, { version: '1.0.0', permissions: [reads] }, key)
  const changes = [{ kind: 'add', reference: folder }]
  const plan = await daemon.post('/api/plugins/plan', { changes })
  assert.equal(plan.status, 200, plan.text)
  const [step] = plan.body.steps
  assert.deepEqual([plan.body.pending, step.kind, step.id, step.version], [true, 'install', 'acme/slow', '1.0.0'])
  assert.deepEqual(
    step.permissions.unapproved.map((one: { sentence: string; risk: string }) => [one.sentence, one.risk]),
    [['read files in <instances.*.metadata.directory>', 'low']],
  )
  assert.equal(step.verdict.publisher, 'Acme')
  assert.equal((await daemon.get('/api/lock')).body.plugins['acme/slow'], undefined, 'a plan writes nothing')

  const { etag } = plan.body
  const unapproved = await daemon.post('/api/plugins/apply', { changes, etag })
  assert.deepEqual([unapproved.status, unapproved.body.code], [403, 'INSTALL_UNAPPROVED'])
  assert.deepEqual(unapproved.body.details.approvals, { 'acme/slow': [reads] })
  const applied = await daemon.post('/api/plugins/apply', { changes, etag, approvals: { 'acme/slow': [reads] } })
  assert.equal(applied.status, 200, applied.text)
  assert.equal(applied.body.message, 'acme/slow 1.0.0 installed')
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
  assert.deepEqual((await daemon.plugin('slow')).trust, { level: 'signed', publisher: 'Acme', waived: [] })

  const again = await daemon.post('/api/plugins/apply', { changes, etag, approvals: {} })
  assert.deepEqual([again.status, again.body.code], [409, 'LOCK_CHANGED'])

  await writeSignedProvider(folder, { version: '1.1.0', permissions: [reads, writes] }, key)
  const archive = packFolder(folder, join(packages, 'slow.tgz'))
  const outdated = await daemon.get('/api/plugins/outdated')
  assert.deepEqual(outdated.body.plugins, [
    { id: 'acme/slow', version: '1.0.0', requested: folder, available: '1.1.0', unapproved: [writes], problem: null },
  ])
  const blocked = await daemon.post('/api/plugins/slow/update')
  assert.equal(blocked.body.code, 'INSTALL_UNAPPROVED', blocked.text)
  assert.equal((await daemon.plugin('slow')).version, '1.0.0')
  const approvals = { 'acme/slow': [writes] }
  const updated = await daemon.post('/api/plugins/install', { path: archive, approvals })
  assert.equal(updated.status, 201, updated.text)
  assert.equal((await daemon.plugin('slow')).version, '1.1.0')

  const revoked = await daemon.post('/api/plugins/slow/revoke', { permissions: [writes] })
  assert.deepEqual(
    revoked.body.unapproved.map((one: { permission: string }) => one.permission),
    [writes],
    revoked.text,
  )
  assert.equal((await daemon.plugin('slow')).state, 'blocked')
  assert.equal((await daemon.post('/api/plugins/slow/approve', { permissions: [writes] })).status, 200)
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)

  const used = await daemon.send('DELETE', '/api/plugins/slow')
  assert.deepEqual([used.status, used.body.code, used.body.details.users], [409, 'SERVER_PLUGIN_IN_USE', ['provider slow']])
  assert.equal((await daemon.plugin('slow')).state, 'active')
  const removed = await daemon.send('DELETE', '/api/plugins/slow?force=true&deleteFiles=true')
  assert.equal(removed.status, 204, removed.text)
  assert.equal(await daemon.plugin('slow'), undefined)
  assert.deepEqual((await daemon.get('/api/lock')).body.plugins, {})
  assert.deepEqual(JSON.parse(await readFile(join(places.root, 'data/backplane.lock'), 'utf8')).plugins, {})
  const back = await daemon.post('/api/plugins/install', { path: archive, approvals: { 'acme/slow': [reads, writes] } })
  assert.equal(back.status, 201, back.text)
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200, 'the same bytes can come back')
  await rm(packages, { recursive: true })
  assert.equal(await daemon.stop(), 0)
  const next = await Hypervisord.start(places, {}, [], [])
  assert.equal((await next.get('/api/providers/slow/vms')).status, 200, 'a start needs nothing but the store')
  assert.equal((await readdir(join(places.root, 'data/installed'))).filter((name) => name.startsWith('sha256-')).length, 1)
})
