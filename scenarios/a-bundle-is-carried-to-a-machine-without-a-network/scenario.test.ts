import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { runBackplane } from '@backplane/cli'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { packFolder, trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const reads = 'fs:read ${instances.*.metadata.directory}'
const configuration = 'plugins: { directories: [./plugins], trust_policy: ./trust.json, sources: { directories: [./carried] } }\n'

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function backplane(socket: string, ...args: readonly string[]): Promise<Ran> {
  const said = { out: '', err: '' }
  const code = await runBackplane([...args, '--socket', socket], {
    out: (text) => void (said.out += String(text)),
    err: (text) => void (said.err += text),
    live: false,
    colors: false,
    env: {},
    ask: undefined,
    readSecret: async () => '',
    untilBreak: () => new AbortController().signal,
  })
  return { code, ...said }
}

test('a locked set is carried in one file, judged and approved where it comes to, and serves there', async (t) => {
  const here = await makePlaces(t, configuration)
  const there = await makePlaces(t, configuration)
  const key = await trustNewKey(join(here.root, 'trust.json'))
  await copyFile(join(here.root, 'trust.json'), join(there.root, 'trust.json'))
  await Promise.all([here, there].map(({ root }) => mkdir(join(root, 'carried'))))
  await writeSignedProvider(join(here.root, 'made'), { version: '1.0.0', permissions: [reads] }, key)
  const archive = packFolder(join(here.root, 'made'), join(here.root, 'carried/slow.tgz'))
  const grants = join(here.root, 'grants.json')
  await writeFile(grants, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions: [reads] } } }))

  const source = await Hypervisord.start(here, {}, [], [])
  const added = await backplane(here.socket, 'add', archive, '--grant-file', grants, '--yes')
  assert.equal(added.code, 0, added.err)
  const file = join(there.root, 'carried/plugins.bundle')
  const bundled = JSON.parse((await backplane(here.socket, 'bundle', file, '--json')).out)
  assert.deepEqual(bundled.plugins, ['acme/slow'])
  const again = join(here.root, 'again.bundle')
  assert.equal(JSON.parse((await backplane(here.socket, 'bundle', again, '--json')).out).digest, bundled.digest)
  assert.deepEqual(await readFile(again), await readFile(file))
  await backplane(here.socket, 'keygen', join(here.root, 'mirror'))
  const mirror = join(there.root, 'mirror')
  const mirrored = (): Promise<Ran> => backplane(here.socket, 'mirror', mirror, '--key', join(here.root, 'mirror.key'), '--json')
  assert.deepEqual(JSON.parse((await mirrored()).out).added, ['acme/slow@1.0.0'])
  assert.deepEqual(JSON.parse((await mirrored()).out).added, [], 'a second run adds what is new')
  await source.kill()

  const target = await Hypervisord.start(there, {}, [], [])
  const outside = await backplane(there.socket, 'add', '--bundle', again)
  assert.deepEqual([outside.code, outside.err.split(':')[0]], [77, 'INSTALL_PATH_REFUSED'], outside.err)
  const unapproved = await backplane(there.socket, 'add', '--bundle', file, '--yes')
  assert.deepEqual([unapproved.code, /BACKPLANE_UNAPPROVED/.test(unapproved.err)], [77, true], unapproved.err)
  const damaged = await readFile(file)
  damaged[damaged.length - 300] = (damaged.at(-300) ?? 0) ^ 1
  await writeFile(join(there.root, 'carried/damaged.bundle'), damaged)
  const refused = await backplane(there.socket, 'add', '--bundle', join(there.root, 'carried/damaged.bundle'))
  assert.deepEqual([refused.code, refused.err.split(':')[0]], [65, 'BUNDLE_INVALID'], refused.err)
  const two = await target.post('/api/plugins/plan', {
    changes: [{ kind: 'add', reference: `bundle:${file}` }, { kind: 'update' }],
  })
  assert.equal(two.body.code, 'BUNDLE_ALONE')
  const carried = await backplane(there.socket, 'add', '--bundle', file, '--grant-file', grants, '--yes')
  assert.equal(carried.code, 0, carried.err)
  assert.equal((await target.get('/api/providers/slow/vms')).status, 200)
  assert.equal(
    await readFile(join(there.root, 'data/backplane.lock'), 'utf8'),
    await readFile(join(here.root, 'data/backplane.lock'), 'utf8'),
  )
  await target.kill()
  const indexes = `indexes: { mirror: { url: '${pathToFileURL(mirror).href}', keys: [${join(here.root, 'mirror.pub')}] } }`
  await Hypervisord.configure(there, (text) => text.replace('sources: {', `sources: { ${indexes},`))
  const reader = await Hypervisord.start(there, {}, [], [])
  assert.equal((await reader.send('DELETE', '/api/plugins/slow?force=true')).status, 204)
  const fromMirror = await backplane(there.socket, 'add', 'index:acme/slow@^1', '--grant-file', grants, '--yes')
  assert.equal(fromMirror.code, 0, fromMirror.err)
  assert.equal((await reader.get('/api/providers/slow/vms')).status, 200)
  await reader.kill()

  const lost = await makePlaces(t, configuration)
  await copyFile(join(here.root, 'trust.json'), join(lost.root, 'trust.json'))
  await Promise.all([mkdir(join(lost.root, 'data')), mkdir(join(lost.root, 'carried'))])
  await copyFile(join(here.root, 'data/backplane.lock'), join(lost.root, 'data/backplane.lock'))
  await copyFile(file, join(lost.root, 'carried/plugins.bundle'))
  const fresh = await Hypervisord.start(lost, {}, [], [])
  const restored = await backplane(lost.socket, 'install', '--bundle', join(lost.root, 'carried/plugins.bundle'))
  assert.deepEqual([restored.code, restored.out], [0, 'acme/slow fetched\n'], restored.err)
  assert.equal((await fresh.get('/api/providers/slow/vms')).status, 200)
  assert.deepEqual((await readdir(join(here.root, 'data/bundles'))).length, 1, 'only the last is kept')
})
