import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { writeIndex } from '@backplane/sources/install'
import { generateKey, type Advisory } from '@backplane/trust'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { packFolder, trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const { signal } = new AbortController()
const reads = 'fs:read ${instances.*.metadata.directory}'
const advisory: Advisory = { id: 'ACME-2026-1', plugin: 'acme/slow', versions: '<2', summary: 'it loses data', action: 'disable' }

interface Stage {
  readonly places: Places
  readonly folder: string
  readonly sign: (advisories: readonly Advisory[]) => Promise<unknown>
}

/** A web server with an index, signed and served as anybody would, and a configuration that installs from it. */
async function stage(t: TestContext): Promise<Stage> {
  const indexKey = generateKey()
  let folder = ''
  const server = createServer((request, response) => {
    const answer = (bytes: Buffer | undefined): unknown => response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
    readFile(join(folder, request.url ?? '')).then(answer, () => answer(undefined))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const places = await makePlaces(
    t,
    `plugins: { directories: [./plugins], trust_policy: ./trust.json, sources: { refresh: 1h, indexes: { acme: { url: '${url}', keys: [./index.pub] } } } }\n`,
  )
  folder = join(places.root, 'index')
  await writeFile(join(places.root, 'index.pub'), indexKey.publicKey)
  const key = await trustNewKey(join(places.root, 'trust.json'))
  const made = join(places.root, 'made')
  await writeSignedProvider(made, { version: '1.0.0', permissions: [reads] }, key)
  const archive = packFolder(made, join(places.root, 'slow.tgz'))
  await writeIndex(folder, [archive], { keys: [indexKey.privateKey], signal })
  const sign: Stage['sign'] = (advisories) => writeIndex(folder, [], { keys: [indexKey.privateKey], advisories, signal })
  return { places, folder, sign }
}

const stateOf = async (daemon: Hypervisord): Promise<{ readonly state: string; readonly reason: string | null }> =>
  (await daemon.get('/api/plugins/slow')).body

async function isStopped(daemon: Hypervisord, what = ''): Promise<void> {
  await daemon.until(async () => {
    // what was not used since a start is started by that
    assert.notEqual((await daemon.get('/api/providers/slow/vms')).status, 200, what)
    return (await stateOf(daemon)).state === 'failed'
  })
  assert.match((await stateOf(daemon)).reason ?? '', /ACME-2026-1: it loses data/, what)
}

test('an advisory of an index stops what runs, and neither an older index, none, nor a restart takes it back', async (t) => {
  const { places, folder, sign } = await stage(t)
  const daemon = await Hypervisord.start(places, {}, [], [])
  const approvals = { 'acme/slow': [reads] }
  const found = (await daemon.get('/api/packages/search?q=slow')).body
  assert.equal(found.packages[0]?.reference, 'index:acme:acme/slow', JSON.stringify(found))
  const installed = await daemon.post('/api/plugins/install', { source: 'index:acme:acme/slow@^1', approvals })
  assert.equal(installed.status, 201, installed.text)
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
  await cp(folder, `${folder}-before`, { recursive: true })

  await sign([advisory])
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => (await stateOf(daemon)).state === 'failed')
  await isStopped(daemon)
  const again = await daemon.post('/api/plugins/plan', { changes: [{ kind: 'add', reference: 'index:acme:acme/slow@1.0.0' }] })
  assert.ok(again.status === 200 || again.body.code === 'INSTALL_REFUSED', again.text)
  await daemon.kill()

  await cp(folder, `${folder}-warned`, { recursive: true })
  const stays = async (what: string, told: RegExp): Promise<void> => {
    const next = await Hypervisord.start(places, {}, [], [])
    await next.until(async () => told.test(next.output))
    await isStopped(next, what)
    await next.kill()
  }
  await rm(folder, { recursive: true })
  await cp(`${folder}-before`, folder, { recursive: true })
  await stays('an older index', /INDEX_ROLLED_BACK|was seen before/)
  await rm(folder, { recursive: true })
  await stays('no index', /cannot be read; what it warned of stands/)

  await cp(`${folder}-warned`, folder, { recursive: true })
  await sign([])
  const last = await Hypervisord.start(places, {}, [], [])
  await last.until(async () => (await last.get('/api/providers/slow/vms')).status === 200)
})
