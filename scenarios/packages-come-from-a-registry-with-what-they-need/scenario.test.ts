import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KeyPair } from '@backplane/trust'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { NpmRegistry, token } from '../support/npm-registry.ts'
import { packFolder, signFolder, trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const reads = 'fs:read ${instances.*.metadata.directory}'
interface Stage {
  readonly places: Places
  readonly key: KeyPair
  readonly registry: NpmRegistry
}

async function stage(t: TestContext): Promise<Stage> {
  const registry = new NpmRegistry()
  await registry.start(t)
  const npm = `npm: { '@acme': { url: '${registry.url}', token: '\${secret:npm}' } }`
  const sources = `sources: { ${npm}, dependencies: { acme/*: 'npm:@acme/*' } }`
  const places = await makePlaces(t, `plugins: { directories: [./plugins], trust_policy: ./trust.json, ${sources} }\n`)
  return { places, registry, key: await trustNewKey(join(places.root, 'trust.json')) }
}

/** Publishes the provider, and a plugin that needs it. */
async function publish({ places, registry, key }: Stage, version: string): Promise<void> {
  const slow = join(places.root, 'made/slow')
  await writeSignedProvider(slow, { version, permissions: [reads] }, key)
  registry.publish('@acme/slow', version, await readFile(packFolder(slow, join(places.root, 'slow.tgz'))))
  const top = join(places.root, 'made/top')
  await mkdir(top, { recursive: true })
  const manifest = {
    schemaVersion: 1,
    id: 'acme/top',
    version,
    requires: { api: '^1.0.0' },
    dependencies: [{ id: 'acme/slow', range: `^${version}` }],
  }
  await writeFile(join(top, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(
    join(top, 'index.js'),
    `import { definePlugin } from '@backplane/sdk'\nexport default definePlugin({ setup: () => undefined })\n`,
  )
  await writeFile(join(top, 'package.json'), '{"type":"module"}')
  await signFolder(top, { id: 'acme/top', version }, key)
  registry.publish('@acme/top', version, await readFile(packFolder(top, join(places.root, 'top.tgz'))))
}

test('a package comes from a private registry with what it needs, is locked, updated, and starts again without it', async (t) => {
  const at = await stage(t)
  await publish(at, '1.0.0')
  const daemon = await Hypervisord.start(at.places, { HYPERSDK_SECRET_NPM: token }, [], [])
  const approvals = { 'acme/slow': [reads] }
  const changes = [{ kind: 'add', reference: 'npm:@acme/top@^1.0.0' }]
  const plan = await daemon.post('/api/plugins/plan', { changes })
  assert.equal(plan.status, 200, plan.text)
  assert.deepEqual(
    plan.body.steps.map((step: { id: string; needed_by: string[] }) => [step.id, step.needed_by]),
    [
      ['acme/slow', ['acme/top']],
      ['acme/top', []],
    ],
  )
  const applied = await daemon.post('/api/plugins/apply', { changes, etag: plan.body.etag, approvals })
  assert.equal(applied.body.message, 'acme/slow 1.0.0 installed, acme/top 1.0.0 installed', applied.text)
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
  const needed = await daemon.send('DELETE', '/api/plugins/slow?force=true')
  assert.deepEqual([needed.status, needed.body.code], [409, 'INSTALL_NEEDED'], needed.text)

  await publish(at, '1.1.0')
  const outdated = (await daemon.get('/api/plugins/outdated')).body.plugins
  assert.deepEqual(
    outdated.map((one: { id: string; available: string }) => [one.id, one.available]),
    [
      ['acme/slow', '1.1.0'],
      ['acme/top', '1.1.0'],
    ],
  )
  const updated = await daemon.post('/api/plugins/top/update')
  assert.match(updated.body.message, /acme\/slow 1\.1\.0 updated, acme\/top 1\.1\.0 updated/, updated.text)
  const { plugins } = (await daemon.get('/api/lock')).body
  assert.deepEqual([plugins['acme/top'].requested, plugins['acme/slow'].requested], ['npm:@acme/top@^1.0.0', undefined])
  assert.ok(!daemon.output.includes(token) && !JSON.stringify(plugins).includes(token), 'the token is in no log and no lock')

  assert.equal(await daemon.stop(), 0)
  const asked = at.registry.asked.length
  const next = await Hypervisord.start(at.places, {}, [], [])
  assert.equal((await next.get('/api/providers/slow/vms')).status, 200)
  assert.equal(at.registry.asked.length, asked, 'a start asks nobody')
  assert.equal(await next.stop(), 0)

  await rm(join(at.places.root, 'data/installed'), { recursive: true, force: true })
  const empty = await Hypervisord.start(at.places, { HYPERSDK_SECRET_NPM: token }, [], [])
  assert.equal((await empty.post('/api/lock/verify')).body.problems.length, 2)
  assert.deepEqual((await empty.post('/api/lock/restore')).body.restored.toSorted(), ['acme/slow', 'acme/top'])
  assert.equal((await empty.get('/api/providers/slow/vms')).status, 200)
  const used = await empty.send('DELETE', '/api/plugins/top')
  assert.deepEqual(
    [used.status, used.body.code, used.body.plugin],
    [409, 'SERVER_PLUGIN_IN_USE', 'acme/slow'],
    'what would go with it is used',
  )
  const removal = [{ kind: 'remove', id: 'acme/top' }]
  const { etag } = (await empty.post('/api/plugins/plan', { changes: removal })).body
  assert.equal((await empty.post('/api/plugins/apply', { changes: removal, etag })).body.code, 'SERVER_PLUGIN_IN_USE')
  const removed = await empty.send('DELETE', '/api/plugins/top?force=true')
  assert.equal(removed.status, 204, removed.text)
  await empty.until(async () => (await empty.plugin('slow')) === undefined)
  assert.deepEqual((await empty.get('/api/lock')).body.plugins, {}, 'what only it needed went with it')
})

test('without the right token nothing comes, and the answer names the registry and not the token', async (t) => {
  const at = await stage(t)
  await publish(at, '1.0.0')
  const daemon = await Hypervisord.start(at.places, { HYPERSDK_SECRET_NPM: 'another-token-altogether' }, [], [])
  const answer = await daemon.post('/api/plugins/plan', { changes: [{ kind: 'add', reference: 'npm:@acme/top' }] })
  assert.deepEqual([answer.status, answer.body.code], [403, 'FETCH_DENIED'], answer.text)
  assert.ok(!answer.text.includes('another-token-altogether'))
  const other = await daemon.post('/api/plugins/plan', { changes: [{ kind: 'add', reference: 'npm:left-pad' }] })
  assert.equal(other.body.code, 'FETCH_ADDRESS_REFUSED', other.text)
})
