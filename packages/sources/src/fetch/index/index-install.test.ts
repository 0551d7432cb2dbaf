import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { acceptManifest } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import type { Verdict } from '@backplane/trust'
import { Installer } from '../../install/installer.ts'
import type { Change } from '../../install/plan.ts'
import { installed } from '../../lock/installed.ts'
import { key, shelf } from './fixtures/shelf.ts'

const { signal } = new AbortController()
const options = { signal }
const judge = (): Verdict => ({ ok: true, trust: 'unsigned', rules: [] })

test('a plugin of an index is installed with what it needs, updated once it is approved, and had again from a mirror', async (t) => {
  const { add, folder, reader } = await shelf(t)
  const root = await temporaryDirectory(t)
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const rest = { ...places, judge, acceptManifest, hostApi: '1.0.0', referenceOf: (id: string) => `index:${id}` }
  const installer = new Installer({ ...rest, fetchers: [reader()] })
  const listed = async (): Promise<readonly string[]> =>
    (await installed(places).list(signal)).packages.map(({ fingerprint }) => fingerprint.split(' ')[0] ?? '')

  await add('b')
  await add('a', { dependencies: [{ id: 'acme/b', range: '^1.0.0' }] })
  await installer.apply(await installer.plan([{ kind: 'add', reference: 'index:acme/a@^1' }], options), {}, options)
  assert.deepEqual(await listed(), ['acme/a@1.0.0', 'acme/b@1.0.0'])

  await add('a', { version: '1.1.0', permissions: ['exec rclone'], dependencies: [{ id: 'acme/b', range: '^1.0.0' }] })
  const update = await installer.plan([{ kind: 'update' }], options)
  await assert.rejects(installer.apply(update, {}, options), { code: 'INSTALL_UNAPPROVED' })
  await installer.apply(update, { 'acme/a': ['exec rclone'] }, options)
  assert.deepEqual(await listed(), ['acme/a@1.1.0', 'acme/b@1.0.0'])

  const mirror = join(root, 'mirror')
  await cp(folder, mirror, { recursive: true })
  await Promise.all([folder, places.store].map((path) => rm(path, { recursive: true })))
  const indexes = { acme: { url: pathToFileURL(mirror).href, keys: [key.publicKey] } }
  const elsewhere = new Installer({ ...rest, fetchers: [reader({ indexes })] })
  assert.deepEqual(await elsewhere.restore(options), ['acme/a', 'acme/b'])
  assert.deepEqual(await elsewhere.verify(signal), [])
})

test('a version that comes back with other bytes is refused when a plan is made', async (t) => {
  const { add, folder, reader } = await shelf(t)
  const root = await temporaryDirectory(t)
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const plan = async (changes: readonly Change[]): Promise<void> => {
    const installer = new Installer({ ...places, judge, acceptManifest, hostApi: '1.0.0', fetchers: [reader()] })
    await installer.apply(await installer.plan(changes, options), {}, options)
  }
  await add('a')
  await plan([{ kind: 'add', reference: 'index:acme/a' }])
  await plan([{ kind: 'update' }])
  await rm(folder, { recursive: true })
  await add('a', { description: 'other bytes' })
  await assert.rejects(plan([{ kind: 'update' }]), {
    code: 'FETCH_CHANGED',
    message: /^index:acme is not what it was: version 1\.0\.0 is /,
  })
})
