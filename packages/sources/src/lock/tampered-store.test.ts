import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { directory } from '../directory.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import { codesOf, idsOf, put } from '../fixtures/package-folder.ts'
import { Installer } from '../install/installer.ts'
import { installed, type InstalledSource } from './installed.ts'
import { lockText, readLock, type LockedArtifact } from './lock-file.ts'

const { signal } = new AbortController()
const archive = `sha256:${'a'.repeat(64)}`

interface Machine {
  readonly lock: string
  readonly store: string
  readonly packages: string
  readonly installer: Installer
  readonly source: InstalledSource
}

/** Where packages of folders came in archives: the signed one of `acme/a` is `archive`. */
async function machine(t: TestContext): Promise<Machine> {
  const root = await temporaryDirectory(t)
  const [lock, store, packages] = [join(root, 'backplane.lock'), join(root, 'store'), join(root, 'packages')]
  const folders = directoryFetcher({ from: packages })
  const fetcher: Fetcher = {
    ...folders,
    fetch: async (place, options) => ({ ...(await folders.fetch(place, options)), archive }),
  }
  const judge = (): { ok: true; trust: 'signed'; rules: [] } => ({ ok: true, trust: 'signed', rules: [] })
  const installer = new Installer({ lock, store, fetchers: [fetcher], judge, acceptManifest, hostApi: '1.0.0' })
  return { lock, store, packages, installer, source: installed({ lock, store }) }
}

async function add({ installer }: Machine, name: string): Promise<void> {
  const plan = await installer.plan([{ kind: 'add', reference: `./${name}` }], { signal })
  await installer.apply(plan, {}, { signal })
}

async function factsFile(store: string, id: string): Promise<string> {
  const folder = join(store, '.owners', encodeURIComponent(id))
  return join(folder, (await readdir(folder))[0] ?? '')
}

async function changeArtifact({ lock }: Machine, id: string, change: Partial<LockedArtifact>): Promise<void> {
  const { plugins } = (await readLock(lock)).lock
  const plugin = plugins[id]
  const any = plugin?.artifacts['any']
  assert.ok(plugin !== undefined && any !== undefined)
  const changed = { ...plugin, artifacts: { any: { ...any, ...change } } }
  await writeFile(lock, lockText({ lockVersion: 1, plugins: { ...plugins, [id]: changed } }))
}

const evil = {
  manifest: {
    schemaVersion: 1,
    id: 'acme/a',
    version: '1.0.0',
    requires: { api: '*' },
    permissions: ['exec sh'],
    main: 'evil.js',
  },
  main: '../../evil.js',
  adapter: '/tmp/evil-adapter.js',
}

test('what an installed plugin is comes from the files that are hashed, not from what is kept beside them', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  await add(at, 'a')
  await writeFile(await factsFile(at.store, 'acme/a'), JSON.stringify({ ...evil, arrival: { source: 'directory:/a', archive } }))
  const { packages } = await at.source.list(signal)
  assert.equal(Reflect.get(Object(packages[0]?.manifest), 'permissions'), undefined)
  const staged = await packages[0]?.stage(signal)
  const { code } = staged ?? {}
  assert.deepEqual(code?.kind === 'files' && [code.main, code.adapter], ['index.js', undefined])
  const recalled = await at.source.recall?.(staged?.digest ?? '', signal)
  assert.deepEqual(recalled?.manifest, packages[0]?.manifest)
})

test('what a folder’s package is recalled as comes from the files that are hashed', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  const source = directory(at.packages, { store: at.store, watch: false })
  const { packages } = await source.list(signal)
  const { digest = '' } = (await packages[0]?.stage(signal)) ?? {}
  await writeFile(await factsFile(at.store, 'acme/a'), JSON.stringify(evil))
  const recalled = await source.recall?.(digest, signal)
  assert.deepEqual(recalled?.manifest, packages[0]?.manifest)
  const { code } = recalled?.staged ?? {}
  assert.deepEqual(code?.kind === 'files' && [code.main, code.adapter], ['index.js', undefined])
})

test('a manifest that is remembered otherwise than it lies in the package is not started with', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  const source = directory(at.packages, { store: at.store, watch: false })
  const { packages } = await source.list(signal)
  const [found] = packages
  assert.ok(found !== undefined)
  Reflect.set(Object(found.manifest), 'permissions', ['exec sh'])
  await assert.rejects(found.stage(signal), { code: 'SOURCE_CHANGED' })
})

test('an archive that the lock names vouches only for what was unpacked from it here', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  await add(at, 'a')
  assert.deepEqual(await at.source.list(signal).then(codesOf), [])
  await changeArtifact(at, 'acme/a', { archive: `sha256:${'b'.repeat(64)}` })
  const listing = await at.source.list(signal)
  assert.deepEqual([codesOf(listing), idsOf(listing)], [['INSTALL_NOT_STORED'], []])
  assert.deepEqual(
    (await at.installer.verify(signal)).map(({ id }) => id),
    ['acme/a'],
  )
  await assert.rejects(at.installer.restore({ signal }), { code: 'INSTALL_NOT_STORED' })
})

test('bytes under another id or version than the lock says are not listed', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  await put(at.packages, 'b')
  await add(at, 'a')
  await add(at, 'b')
  const { digest } = (await readLock(at.lock)).lock.plugins['acme/b']?.artifacts['any'] ?? {}
  assert.ok(digest !== undefined)
  await changeArtifact(at, 'acme/a', { digest })
  assert.deepEqual(await at.source.list(signal).then(codesOf), ['INSTALL_NOT_STORED'])
  const { plugins } = (await readLock(at.lock)).lock
  const b = plugins['acme/b']
  assert.ok(b !== undefined)
  await writeFile(at.lock, lockText({ lockVersion: 1, plugins: { 'acme/b': { ...b, version: '9.0.0' } } }))
  const { problems } = await at.source.list(signal)
  assert.match(problems[0]?.error.message ?? '', /holds acme\/b 1\.0\.0, not acme\/b 9\.0\.0/)
  assert.equal(problems[0]?.error.code, 'INSTALL_WRONG_ID')
})

test('what is locked for other platforms only is told with them', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  await add(at, 'a')
  const text = await readFile(at.lock, 'utf8')
  await writeFile(at.lock, text.replace('"any"', '"plan9-mips"'))
  const { problems } = await at.source.list(signal)
  assert.equal(problems[0]?.error.code, 'INSTALL_NO_ARTIFACT')
  assert.match(problems[0]?.error.message ?? '', /for plan9-mips only, not for/)
})

test('facts that cannot be read cost one plugin and not all', async (t) => {
  const at = await machine(t)
  await put(at.packages, 'a')
  await put(at.packages, 'b')
  await add(at, 'a')
  await add(at, 'b')
  const file = await factsFile(at.store, 'acme/a')
  await writeFile(file, (await readFile(file, 'utf8')).slice(0, -1))
  await writeFile(join(at.store, '.owners', '%zz'), '')
  const listing = await at.source.list(signal)
  assert.deepEqual([codesOf(listing), idsOf(listing)], [['INSTALL_NOT_STORED'], ['acme/b']])
  assert.deepEqual(await at.installer.restore({ signal }), ['acme/a'])
  assert.deepEqual(await at.source.list(signal).then(codesOf), [])
})
