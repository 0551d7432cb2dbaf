import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KeyPair } from '@backplane/trust'
import { backplaneHere, type Ran } from '../support/backplane.ts'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { packFolder, trustNewKey, writeSignedProvider } from '../support/signed-package.ts'

const reads = 'fs:read ${instances.*.metadata.directory}'

interface Stage {
  readonly places: Places
  readonly packages: string
  readonly key: KeyPair
  readonly daemon: Hypervisord
  /** Runs it where nobody sits, or with what somebody answers. */
  readonly backplane: (args: readonly string[], answers?: readonly string[]) => Promise<Ran>
}

async function stage(t: TestContext): Promise<Stage> {
  const places = await makePlaces(
    t,
    'plugins: { directories: [./plugins], trust_policy: ./trust.json, sources: { directories: [./packages] } }\n',
  )
  const key = await trustNewKey(join(places.root, 'trust.json'))
  const backplane = (args: readonly string[], answers?: readonly string[]): Promise<Ran> => backplaneHere(places, args, answers)
  const daemon = await Hypervisord.start(places, {}, [], [])
  return { places, packages: join(places.root, 'packages'), key, daemon, backplane }
}

test('an archive is looked at, approved, installed, updated with more permissions, and removed', async (t) => {
  const { places, packages, key, daemon, backplane } = await stage(t)
  const folder = join(packages, 'slow')
  await writeSignedProvider(folder, { version: '1.0.0', permissions: [reads] }, key)
  const archive = packFolder(folder, join(places.root, 'slow.tgz'))

  const planned = await backplane(['plan', '--add', archive])
  assert.equal(planned.code, 3, planned.err)
  assert.match(planned.out, /^\+ acme\/slow 1\.0\.0\n {4}from archive:.*signed by Acme\n {4}asks for 1 permission/)
  for (const answers of [undefined, ['n'], [''], ['yes please']]) {
    const refused = await backplane(['add', archive, ...(answers === undefined ? ['--yes'] : [])], answers)
    assert.equal(refused.code, answers === undefined ? 77 : 1, refused.err)
    assert.match(refused.err, answers === undefined ? /BACKPLANE_UNAPPROVED: .*fs:read/ : /BACKPLANE_DECLINED/)
    assert.match(refused.err, /low risk\n {4}- read files in <instances/)
  }
  assert.equal(await daemon.plugin('slow'), undefined)
  const added = await backplane(['add', archive], ['y'])
  assert.deepEqual([added.code, added.out], [0, 'acme/slow 1.0.0 installed\n'], added.err)
  assert.match(added.err, /Approve this and go on\? \[y\/N\] /)
  assert.equal((await backplane(['plan'])).code, 0, 'nothing is pending')

  const wider = { version: '1.1.0', permissions: [reads, 'exec qemu-img'] }
  await writeSignedProvider(folder, wider, key)
  await backplane(['add', folder], ['y'])
  assert.equal((await daemon.plugin('slow')).version, '1.1.0')
  await writeSignedProvider(folder, { ...wider, version: '1.2.0', permissions: [...wider.permissions, 'exec rclone'] }, key)
  const outdated = await backplane(['outdated'])
  assert.deepEqual([outdated.code, /1\.2\.0 .*exec rclone/.test(outdated.out)], [1, true], outdated.out)
  const early = await backplane(['approve', 'slow', 'exec rclone'])
  assert.equal(early.code, 65)
  assert.match(early.err, /acme\/slow` 1\.1\.0 does not ask for `exec rclone`; 1\.2\.0, which an update would bring, does/)
  assert.match(early.err, /Run `backplane update acme\/slow`/)
  const widened = await backplane(['update', '--yes'])
  assert.deepEqual([widened.code, widened.err.includes('BACKPLANE_UNAPPROVED')], [77, true], '--yes approves nothing')
  const grants = join(places.root, 'grants.json')
  await writeFile(grants, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions: ['exec rsync'] } } }))
  const other = await backplane(['update', '--grant-file', grants, '--yes'], ['y'])
  assert.equal(other.code, 77, 'what a reviewed file lacks is nobody’s to add at a prompt')
  assert.equal((await daemon.plugin('slow')).version, '1.1.0', 'the old version goes on')
  await writeFile(grants, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/slow': { permissions: ['exec rclone'] } } }))
  const updated = await backplane(['update', '--grant-file', grants, '--json'])
  assert.equal(JSON.parse(updated.out).message, 'acme/slow 1.2.0 updated')

  const lock = JSON.parse((await backplane(['lock', '--json'])).out)
  assert.deepEqual(lock.plugins['acme/slow'].permissions, ['exec qemu-img', 'exec rclone', reads])
  assert.match((await backplane(['permissions', 'slow'])).out, /high risk\n {4}- run qemu-img, with all this program can do/)
  assert.match((await backplane(['grants'])).out, /^acme\/slow \(lock\)\n/)
  assert.match((await backplane(['trust', 'why', 'slow'])).out, /^may run, signed by Acme\n/)
  assert.match((await backplane(['info', 'slow'])).out, /it asks to\n {2}high risk/)
  assert.deepEqual((await backplane(['verify'])).out, 'everything is as the lock says\n')
  assert.match((await backplane(['install'])).out, /^everything is there\n$/)
  assert.equal((await backplane(['gc'])).code, 0)

  const used = await backplane(['remove', 'slow'])
  assert.deepEqual([used.code, /SERVER_PLUGIN_IN_USE: .*provider slow/.test(used.err)], [75, true], used.err)
  assert.equal((await backplane(['remove', 'slow', '--force', '--delete-files'])).out, 'slow removed\n')
  assert.equal(await daemon.plugin('slow'), undefined)
})

test('a plan in a file is applied only while it comes to the same', async (t) => {
  const { places, packages, key, daemon, backplane } = await stage(t)
  const folder = join(packages, 'slow')
  const file = join(places.root, 'plan.json')
  await writeSignedProvider(folder, { version: '1.0.0', permissions: [] }, key)
  assert.equal((await backplane(['plan', '--add', folder, '--out', file])).code, 3)
  await writeSignedProvider(folder, { version: '1.0.1', permissions: [] }, key)
  const changed = await backplane(['apply', file, '--yes'])
  assert.deepEqual([changed.code, changed.err.startsWith('INSTALL_PLAN_CHANGED')], [75, true], changed.err)
  assert.ok(!existsSync(join(places.root, 'data/backplane.lock')))
  await backplane(['plan', '--add', folder, '--out', file])
  assert.equal((await backplane(['apply', file, '--yes'])).out, 'acme/slow 1.0.1 installed\n')
  const again = await backplane(['apply', file, '--yes'])
  assert.deepEqual([again.code, again.err.startsWith('LOCK_CHANGED')], [75, true], again.err)
  await writeFile(file, '{}')
  assert.match((await backplane(['apply', file])).err, /^BACKPLANE_FILE_INVALID: .*it is no plan/)

  const text = await readFile(join(places.root, 'data/backplane.lock'), 'utf8')
  assert.match(text, /"version": "1\.0\.1"/)
  assert.equal((await daemon.plugin('slow')).version, '1.0.1')
})
