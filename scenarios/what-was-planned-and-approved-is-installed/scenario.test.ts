import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import type { KeyPair } from '@backplane/trust'
import { Hypervisord, makePlaces, type Answer, type Places } from '../support/hypervisord.ts'
import { packFolder, signFolder, trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const reads = 'fs:read ${instances.*.metadata.directory}'
const writes = 'fs:write ${instances.*.metadata.directory}'

interface Stage {
  readonly places: Places
  readonly packages: string
  readonly key: KeyPair
  readonly daemon: Hypervisord
}

async function stage(t: TestContext, more = ''): Promise<Stage> {
  const sources = `sources: { directories: [./packages]${more === '' ? '' : `, ${more}`} }`
  const places = await makePlaces(t, `plugins: { directories: [./plugins], trust_policy: ./trust.json, ${sources} }\n`)
  const key = await trustNewKey(join(places.root, 'trust.json'))
  return { places, packages: join(places.root, 'packages'), key, daemon: await Hypervisord.start(places, {}, [], []) }
}

// Each has a daemon of its own, and waits more than it works.
describe('what was planned and approved', { concurrency: 2 }, () => {
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

  test('what is sent is refused whole when it is hostile or too large, and nothing of it is left', async (t) => {
    const { daemon, places, packages, key } = await stage(t, 'upload_limit: 64KiB')
    const folder = join(packages, 'slow')
    await writeSignedProvider(folder, { version: '1.0.0' }, key)
    const uploads = join(places.root, 'data/uploads')
    const send = (bytes: Uint8Array): Promise<Answer> =>
      daemon.send('POST', '/api/plugins/upload', { text: bytes, type: 'application/gzip' })
    await symlink('/etc/passwd', join(folder, 'passwd'))
    const hostile = await send(await readFile(packFolder(folder, join(places.root, 'hostile.tgz'))))
    assert.deepEqual([hostile.status, hostile.body.code], [422, 'ARCHIVE_LINK'], hostile.text)
    const noise = await send(randomBytes(70 * 1024))
    assert.deepEqual([noise.status, noise.body.code], [413, 'SERVER_UPLOAD_TOO_LARGE'], noise.text)
    const text = await send(Buffer.from('#!/bin/sh'))
    assert.equal(text.body.code, 'ARCHIVE_FORMAT_UNKNOWN')
    assert.deepEqual(await readdir(uploads), [])
    await rm(join(folder, 'passwd'))
    // said at once, and not when it is installed
    const manifest = { schemaVersion: 1, id: 'acme/slow', version: '1.0.0', requires: { api: '^1.0.0' } }
    const wrong: readonly (readonly [fields: object, code: string])[] = [
      [{ main: 'dist/index.js' }, 'MANIFEST_MAIN_MISSING'],
      [{ version: undefined }, 'INSTALL_MANIFEST'],
      [{ version: 'one' }, 'MANIFEST_INVALID'],
      [{ requires: {} }, 'MANIFEST_INVALID'],
      [{ main: 'index.js', config: { type: 'sting' } }, 'CONFIG_SCHEMA_INVALID'],
      [{}, 'MANIFEST_MAIN_UNSAID'],
    ]
    for (const [fields, code] of wrong) {
      if (code === 'MANIFEST_MAIN_UNSAID') await rename(join(folder, 'index.js'), join(folder, 'lib.js'))
      await writeFile(join(folder, 'plugin.json'), JSON.stringify({ ...manifest, ...fields }))
      await signFolder(folder, { version: '1.0.0' }, key).catch(() => undefined)
      const { status, body, text: answered } = await send(await readFile(packFolder(folder, join(places.root, 'wrong.tgz'))))
      assert.deepEqual([status, body.code], [422, code], answered)
      assert.ok(body.hint.length > 0)
    }
    assert.deepEqual(await readdir(uploads), [])
    await writeSignedProvider(folder, { version: '1.0.0' }, key)
    const good = await send(await readFile(packFolder(folder, join(places.root, 'good.tgz'))))
    assert.deepEqual([good.status, good.body.id, good.body.version], [201, 'acme/slow', '1.0.0'], good.text)
    assert.deepEqual(await readdir(uploads), [
      `${createHash('sha256')
        .update(await readFile(join(places.root, 'good.tgz')))
        .digest('hex')}.archive`,
    ])
    assert.deepEqual((await daemon.get('/api/lock')).body.plugins, {}, 'what was sent is not installed yet')
  })

  test('nothing is read from elsewhere than the configuration names, wherever a path or a link leads', async (t) => {
    const { daemon, places, packages, key } = await stage(t)
    const outside = join(places.root, 'outside/slow')
    await writeSignedProvider(outside, { version: '1.0.0' }, key)
    await mkdir(packages)
    await symlink(outside, join(packages, 'linked'))
    const references = [
      outside,
      join(packages, 'linked'),
      `${packages}/../outside/slow`,
      'outside/slow',
      '/etc/passwd',
      '/nowhere/at/all',
    ]
    for (const path of references) {
      const answer = await daemon.post('/api/plugins/install', { path: path.startsWith('/') ? path : `./${path}` })
      assert.deepEqual([answer.status, answer.body.code], [403, 'INSTALL_PATH_REFUSED'], `${path}: ${answer.text}`)
    }
    const archive = await daemon.post('/api/plugins/install', { path: '/etc/passwd.tgz' })
    assert.equal(archive.body.code, 'INSTALL_PATH_REFUSED', archive.text)
    const url = await daemon.post('/api/plugins/install', { url: 'http://127.0.0.1:9/slow.tgz' })
    assert.deepEqual([url.status, url.body.code], [403, 'FETCH_ADDRESS_REFUSED'], url.text)
    const npm = await daemon.post('/api/plugins/install', { source: 'npm:@acme/slow' })
    assert.deepEqual([npm.status, npm.body.code], [422, 'INSTALL_NO_FETCHER'], npm.text)
    assert.equal(await daemon.plugin('slow'), undefined)
  })

  test('a folder is approved, revoked and deleted like what is installed, but for nothing beside it', async (t) => {
    const { daemon, places, key } = await stage(t)
    await writeSignedProvider(join(places.plugins, 'slow'), { version: '1.0.0', permissions: [reads, writes] }, key)
    await daemon.until(async () => (await daemon.plugin('slow'))?.state === 'blocked')
    assert.equal(
      (await daemon.post('/api/plugins/slow/approve', { permissions: ['exec sh'] })).body.code,
      'SERVER_PERMISSION_NOT_ASKED',
    )
    assert.equal((await daemon.post('/api/plugins/slow/approve', { permissions: [reads] })).body.unapproved.length, 1)
    assert.equal((await daemon.plugin('slow')).state, 'blocked', 'a part of it is not enough')
    await daemon.post('/api/plugins/slow/approve', { permissions: [writes] })
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
    await writeSignedProvider(
      join(places.plugins, 'slow'),
      { version: '2.0.0', permissions: [reads, writes, 'exec rclone'] },
      key,
    )
    await daemon.until(async () => (await daemon.plugin('slow')).held !== null)
    const waiting = (await daemon.get('/api/plugins/slow/permissions')).body
    assert.deepEqual([waiting.version, waiting.waiting, waiting.unapproved[0].permission], ['1.0.0', '2.0.0', 'exec rclone'])
    await daemon.post('/api/plugins/slow/revoke')
    await daemon.until(async () => (await daemon.plugin('slow')).state === 'blocked')
    assert.deepEqual((await daemon.get('/api/grants')).body.grants, [])
    await writeFile(join(places.plugins, 'mine.txt'), 'mine')
    assert.equal((await daemon.send('DELETE', '/api/plugins/slow?deleteFiles=true&force=true')).status, 204)
    assert.deepEqual(await readdir(places.plugins), ['mine.txt'])
    const bundled = await daemon.send('DELETE', '/api/plugins/libvirt?deleteFiles=true')
    assert.deepEqual([bundled.status, bundled.body.code], [400, 'SERVER_PLUGIN_BUILT_IN'])
  })

  test('a daemon that is killed while it installs has the old version or the new one at its next start', async (t) => {
    const { daemon, places, packages, key } = await stage(t)
    const folder = join(packages, 'slow')
    await writeSignedProvider(folder, { version: '1.0.0' }, key)
    const installed = await daemon.post('/api/plugins/install', { path: folder, approvals: { 'acme/slow': [reads] } })
    assert.equal(installed.status, 201, installed.text)
    await writeSignedProvider(folder, { version: '2.0.0', code: `// ${randomBytes(2 * 1024 * 1024).toString('hex')}` }, key)
    let running = daemon
    const seen = new Set<string>()
    for (const afterMs of [0, 15, 40, 80]) {
      const applied = running.post('/api/plugins/slow/update').catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      await running.kill()
      await applied
      running = await Hypervisord.start(places, {}, [], [])
      const { version } = await running.plugin('slow')
      seen.add(version)
      const vms = await running.get('/api/providers/slow/vms')
      assert.equal(vms.status, 200, vms.text)
      assert.equal(vms.body.vms[0].tags.version, version)
      assert.deepEqual((await running.post('/api/lock/verify')).body, { ok: true, problems: [] })
      assert.equal((await running.get('/api/lock')).body.plugins['acme/slow'].version, version)
    }
    assert.ok([...seen].every((version) => version === '1.0.0' || version === '2.0.0'))
  })

  test('an upload that breaks off leaves nothing, and the next one is taken', async (t) => {
    const { daemon, places, packages, key } = await stage(t)
    await writeSignedProvider(
      join(packages, 'slow'),
      { version: '1.0.0', code: `// ${randomBytes(200_000).toString('hex')}` },
      key,
    )
    const bytes = await readFile(packFolder(join(packages, 'slow'), join(places.root, 'slow.tgz')))
    const uploads = join(places.root, 'data/uploads')
    const head = { 'content-type': 'application/gzip', 'content-length': bytes.length }
    const outgoing = request({
      socketPath: places.socket,
      method: 'POST',
      path: '/api/plugins/upload',
      headers: head,
      agent: false,
    })
    outgoing.on('error', () => undefined)
    outgoing.write(bytes.subarray(0, bytes.length - 1))
    await daemon.until(async () => (await readdir(uploads)).length === 1)
    outgoing.destroy()
    await daemon.until(async () => (await readdir(uploads)).length === 0)
    const whole = await daemon.send('POST', '/api/plugins/upload', { text: bytes, type: 'application/gzip' })
    assert.equal(whole.status, 201, whole.text)
  })
})
