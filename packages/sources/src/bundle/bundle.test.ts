import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import type { Verdict } from '@backplane/trust'
import { packArchive } from '../archive/pack-archive.ts'
import { readArchive } from '../archive/read-archive.ts'
import { unpackArchive } from '../archive/unpack-archive.ts'
import { archiveFetcher } from '../fetch/archive/archive-fetcher.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { contributes, installingHost, saying, type InstallingHost } from '../fixtures/installing-host.ts'
import { packageArchive } from '../fixtures/package-archive.ts'
import { put } from '../fixtures/package-folder.ts'
import type { TreeFile } from '../read-tree.ts'
import { openBundle, type Bundle } from './open-bundle.ts'

const { signal } = new AbortController()
const options = { signal }
const place = 'bundle:/media/usb/plugins.bundle'
const open = (bytes: Uint8Array): Promise<Bundle> => openBundle(bytes, { place, signal })

interface Stage {
  readonly root: string
  readonly here: InstallingHost
  readonly bundle: () => Promise<Uint8Array>
}

/** A host with a plugin out of an archive, with what it needs, and one of a folder. */
async function stage(t: TestContext): Promise<Stage> {
  const root = await temporaryDirectory(t)
  const needs = { contributes, permissions: ['exec a'], dependencies: [{ id: 'acme/b', range: '*' }] }
  await writeFile(join(root, 'a.tgz'), packageArchive('a', needs, { 'index.js': saying('from the archive') }))
  await put(root, 'b', {}, { 'index.js': 'export default { setup: () => undefined }' })
  const here = await installingHost(t, [archiveFetcher({ from: root }), directoryFetcher({ from: root })])
  const plan = await here.plan({ kind: 'add', reference: './a.tgz' }, { kind: 'add', reference: './b' })
  await here.apply(plan, { 'acme/a': ['exec a'] })
  return { root, here, bundle: () => here.installer.bundle(options) }
}

/** Packs the files of a bundle again, with some of them changed or taken away. */
async function repacked(bytes: Uint8Array, change: (file: TreeFile) => TreeFile | undefined): Promise<Uint8Array> {
  const { files } = await unpackArchive(await readArchive(bytes, {}, signal), { topFolder: 'keep', signal })
  return packArchive(files.flatMap((file) => change(file) ?? []))
}

test('a bundle installs exactly the locked set on a machine without anything else, once that is approved there', async (t) => {
  const { here, bundle } = await stage(t)
  const told: unknown[] = []
  const bytes = await here.installer.bundle({ signal, onProgress: ({ phase }) => told.push(phase) })
  assert.deepEqual(told, ['packing acme/a', 'packing acme/b'])
  assert.deepEqual(Buffer.from(await bundle()).equals(bytes), true, 'the same lock gives the same bytes')
  const there = await installingHost(t, [])
  const { installer, changes } = there.installer.from(await open(bytes))
  const plan = await installer.plan(changes, options)
  await assert.rejects(installer.apply(plan, {}, options), { code: 'INSTALL_UNAPPROVED' })
  await installer.apply(plan, { 'acme/a': ['exec a'] }, options)
  assert.equal(await readFile(there.places.lock, 'utf8'), await readFile(here.places.lock, 'utf8'))
  assert.equal(await there.said(), 'from the archive')
  assert.deepEqual(
    there.judged.map(({ source }) => source).filter((source) => source !== place),
    [],
    'it is judged as what came by a bundle, at starts too',
  )
  assert.deepEqual((await installer.plan(changes, options)).steps, [], 'and is installed once')
})

test('a machine that has the lock takes from a bundle what its store lacks, by the same digests', async (t) => {
  const { here, bundle } = await stage(t)
  const there = await installingHost(t, [])
  await writeFile(there.places.lock, await readFile(here.places.lock))
  const { installer } = there.installer.from(await open(await bundle()))
  assert.deepEqual(await installer.restore(options), ['acme/a', 'acme/b'])
  assert.deepEqual(await there.installer.verify(signal), [])
  const lock = (await readFile(there.places.lock, 'utf8')).replaceAll(/"digest": "sha256:..../g, '"digest": "sha256:0000')
  await writeFile(there.places.lock, lock)
  await assert.rejects(installer.restore(options), { code: 'FETCH_NOT_FOUND' }, 'what another lock names is not in it')
})

test('a bundle that was tampered with or lacks something is refused before anything of it is used', async (t) => {
  const { bundle } = await stage(t)
  const bytes = await bundle()
  const flipped = Buffer.from(bytes)
  flipped[700] = (flipped[700] ?? 0) ^ 1
  const swapped = await repacked(bytes, (file) =>
    file.path.endsWith('.archive') ? { ...file, bytes: packageArchive('a') } : file,
  )
  const lockless = await repacked(bytes, (file) => (file.path === 'backplane.lock' ? undefined : file))
  const less = await repacked(bytes, (file) => (file.path.endsWith('.tgz') ? undefined : file))
  const listless = await repacked(bytes, (file) => (file.path === 'bundle.json' ? { ...file, bytes: Buffer.from('{}') } : file))
  const bad = await repacked(bytes, (file) => (file.path === 'backplane.lock' ? { ...file, bytes: Buffer.from('{') } : file))
  const strange = await repacked(bytes, (file) => (file.path === 'bundle.json' ? { ...file, path: 'bundle.txt' } : file))
  for (const [wrong, code, message] of [
    [flipped, 'BUNDLE_INVALID', /./],
    [bytes.subarray(0, -20), 'BUNDLE_INVALID', /./],
    [swapped, 'BUNDLE_INVALID', /the bytes of acme\/a 1\.0\.0 are not those of its lock/],
    [lockless, 'BUNDLE_INCOMPLETE', /does not hold backplane\.lock/],
    [less, 'BUNDLE_INCOMPLETE', /does not hold acme\/b 1\.0\.0 for any/],
    [listless, 'BUNDLE_INVALID', /bundle\.json/],
    [strange, 'BUNDLE_INCOMPLETE', /does not hold bundle\.json/],
    [bad, 'BUNDLE_INVALID', /backplane\.lock:1/],
  ] as const) {
    await assert.rejects(open(wrong), { code, message })
  }
  const small = openBundle(bytes, { place, limits: { bundleBytes: 100 }, signal })
  await assert.rejects(small, { code: 'BUNDLE_INVALID', message: /more than 100 bytes/ })
})

test('a tree that is another than its lock says is refused when it is asked for', async (t) => {
  const { root, bundle } = await stage(t)
  await put(root, 'evil')
  const tree = packArchive([{ path: 'plugin.json', bytes: Buffer.from('{"id":"acme/b","version":"1.0.0"}'), executable: false }])
  const swapped = await repacked(await bundle(), (file) => (file.path.endsWith('.tgz') ? { ...file, bytes: tree } : file))
  const there = await installingHost(t, [])
  const { installer, changes } = there.installer.from(await open(swapped))
  await assert.rejects(installer.plan(changes, options), { code: 'FETCH_CHANGED', message: /holds other bytes of it/ })
})

test('what is there no more as it was locked is not bundled, nor more than the limit', async (t) => {
  const { root, here } = await stage(t)
  await assert.rejects(here.installer.bundle(options, { bundleBytes: 100 }), { code: 'BUNDLE_TOO_LARGE' })
  await writeFile(join(root, 'a.tgz'), packageArchive('a', {}, { 'index.js': 'other' }))
  await assert.rejects(here.installer.bundle(options), { code: 'FETCH_CHANGED' })
})

test('a bundle is taken for no source it names: neither without a signature nor with what was approved of another’s bytes', async (t) => {
  const { root, here, bundle } = await stage(t)
  const first = await bundle()
  const fromFolder = (source: string): Verdict => ({
    ok: !source.startsWith('bundle:'),
    trust: 'unsigned',
    rules: source.startsWith('bundle:') ? [{ rule: 'signature', outcome: 'refused', reason: 'nobody signed it' }] : [],
  })
  const strict = await installingHost(t, [], ({ source }) => fromFolder(source))
  const from = strict.installer.from(await open(first))
  await assert.rejects(from.installer.plan(from.changes, options), { code: 'INSTALL_REFUSED' })

  await writeFile(join(root, 'a.tgz'), packageArchive('a', { version: '1.1.0', permissions: ['exec a'], contributes }))
  await here.apply(await here.plan({ kind: 'update' }), { 'acme/a': ['exec a'] })
  const second = await open(await bundle())
  const there = await installingHost(t, [])
  const one = there.installer.from(await open(first))
  await one.installer.apply(await one.installer.plan(one.changes, options), { 'acme/a': ['exec a'] }, options)
  const two = there.installer.from(second)
  const plan = await two.installer.plan(two.changes, options)
  await assert.rejects(
    two.installer.apply(plan, {}, options),
    { code: 'INSTALL_UNAPPROVED' },
    'nobody vouches for the other bytes',
  )
})
