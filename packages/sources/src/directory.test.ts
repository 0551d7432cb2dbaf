import assert from 'node:assert/strict'
import { chmod, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { SourceListing } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { directory, type DirectoryOptions } from './directory.ts'
import { codesOf, idsOf, manifestOf, pathsOf, put, type Files } from './fixtures/package-folder.ts'
import type { PackageLimits } from './limits.ts'

const { signal } = new AbortController()
const settleMs = 10

test('folders are searched; a package is not searched further, nor are hidden ones and node_modules', async (t) => {
  const root = await temporaryDirectory(t)
  for (const path of ['a', 'vendor/team/b', 'a/examples/c', '.hidden/d', 'node_modules/e']) await put(root, path)
  await writeFile(join(root, 'README.md'), 'not a package')
  const listing = await list(root)
  assert.deepEqual(idsOf(listing), ['acme/a', 'acme/b'])
  assert.deepEqual(listing.problems, [])
})

test('a plugin directory that is itself a package is one', async (t) => {
  const root = await temporaryDirectory(t)
  await put(root, 'a')
  assert.deepEqual(idsOf(await list(join(root, 'a'))), ['acme/a'])
})

test('directories come in the order given, and one that does not exist is empty until it does', async (t) => {
  const root = await temporaryDirectory(t)
  const [first, second, third] = [join(root, '1'), join(root, '2'), join(root, '3')]
  await put(third, 'a')
  await put(first, 'b')
  const source = directory([first, second, third], optionsFor(root))
  assert.deepEqual(pathsOf(await source.list(signal)), [join(first, 'b'), join(third, 'a')])
  await put(second, 'a')
  assert.deepEqual(pathsOf(await source.list(signal)), [join(first, 'b'), join(second, 'a'), join(third, 'a')])
})

test('within a directory the highest version of an id comes first, wherever it lies', async (t) => {
  const root = await temporaryDirectory(t)
  for (const [folder, version] of ['1.9.0', '1.10.0', '2.0.0-rc.1', '1.10.0-beta', 'odd'].entries()) {
    await put(root, `${folder}`, { id: 'acme/a', version })
  }
  await put(root, '9', { id: 'acme/b' })
  const versions = (await list(root)).packages.map(({ manifest }) => Reflect.get(Object(manifest), 'version') as unknown)
  assert.deepEqual(versions, ['2.0.0-rc.1', '1.10.0', '1.10.0-beta', '1.9.0', 'odd', '1.0.0'])
})

test('what is ignored is neither found nor part of a package', async (t) => {
  const root = await temporaryDirectory(t)
  await put(root, 'a')
  await put(root, 'old/b')
  await put(root, 'a', {}, { 'index.js': '', 'test/index.test.js': 'test' })
  const found = (await list(root, { ignore: ['old', '**/*.test.js'] })).packages
  assert.equal(found.length, 1)
  const { digest } = (await found[0]?.stage(signal)) ?? {}
  await rm(join(root, 'a', 'test'), { recursive: true })
  const bare = (await list(root)).packages.find(({ path }) => path.endsWith('/a'))
  assert.equal((await bare?.stage(signal))?.digest, digest)
})

test('staged packages are not found again when the store lies in a plugin directory', async (t) => {
  const root = await temporaryDirectory(t)
  await put(root, 'a')
  const source = directory(root, { store: join(root, 'store'), settleMs })
  await (await source.list(signal)).packages[0]?.stage(signal)
  assert.deepEqual(pathsOf(await source.list(signal)), [join(root, 'a')])
})

test('a link in a plugin directory is reported, not followed; the directory itself may be one', async (t) => {
  const root = await temporaryDirectory(t)
  await put(join(root, 'elsewhere'), 'a')
  await put(join(root, 'plugins'), 'b')
  await symlink('../elsewhere/a', join(root, 'plugins', 'link'))
  await symlink('plugins', join(root, 'alias'))
  const listing = await list(join(root, 'alias'))
  assert.deepEqual(idsOf(listing), ['acme/b'])
  assert.deepEqual(codesOf(listing), ['SOURCE_LINK_SKIPPED'])
})

test('folders below the depth that is searched are reported', async (t) => {
  const root = await temporaryDirectory(t)
  await put(root, '1/2/a')
  await put(root, '1/2/3/b')
  const listing = await list(root, { depth: 3 })
  assert.deepEqual(idsOf(listing), ['acme/a'])
  assert.deepEqual(codesOf(listing), ['SOURCE_TOO_DEEP'])
})

test('a plugin directory that is a file is a problem and hides no other directory', async (t) => {
  const root = await temporaryDirectory(t)
  await put(join(root, 'plugins'), 'a')
  await writeFile(join(root, 'file'), '')
  const source = directory([join(root, 'file'), join(root, 'plugins')], optionsFor(root))
  const listing = await source.list(signal)
  assert.deepEqual(idsOf(listing), ['acme/a'])
  assert.deepEqual(codesOf(listing), ['SOURCE_UNREADABLE'])
})

test('packages in a folder that cannot be read for a while stay listed', async (t) => {
  asNobody(t)
  const root = await temporaryDirectory(t)
  await put(root, 'team/a')
  const source = directory(root, optionsFor(root))
  await source.list(signal)
  await chmod(join(root, 'team'), 0)
  for (let looks = 0; looks < 3; looks += 1) {
    const listing = await source.list(signal)
    assert.deepEqual(idsOf(listing), ['acme/a'])
    assert.deepEqual(codesOf(listing), ['SOURCE_UNREADABLE'])
  }
  await chmod(join(root, 'team'), 0o755)
})

test('a removed package is gone at the next listing, a package moved over it takes its place', async (t) => {
  const root = await temporaryDirectory(t)
  await put(root, 'a')
  await put(root, 'b')
  const source = directory(root, optionsFor(root))
  assert.equal((await source.list(signal)).packages.length, 2)
  await rm(join(root, 'a'), { recursive: true })
  await rename(join(root, 'b'), join(root, 'a'))
  assert.deepEqual(idsOf(await source.list(signal)), ['acme/b'])
})

const manifestBytes = JSON.stringify(manifestOf('a')).length

const limitTests: readonly (readonly [what: string, limits: Partial<PackageLimits>, fits: Files, exceeds: Files])[] = [
  ['bytes', { totalBytes: manifestBytes + 3 }, { 'index.js': '123' }, { 'index.js': '1234' }],
  ['files', { files: 2 }, { 'index.js': '' }, { 'more.js': '' }],
  ['levels of folders', { depth: 1 }, { 'index.js': '', 'lib/a.js': '' }, { 'lib/deep/b.js': '' }],
]

for (const [what, limits, fits, exceeds] of limitTests) {
  test(`a package with more ${what} than the limit is listed and refused when staged`, async (t) => {
    const root = await temporaryDirectory(t)
    const stage = async (): Promise<unknown> => {
      const [found] = (await list(join(root, 'plugins'), { limits, store: join(root, 'store') })).packages
      return found?.stage(signal)
    }
    await put(join(root, 'plugins'), 'a', {}, fits)
    await stage()
    await put(join(root, 'plugins'), 'a', {}, exceeds)
    await assert.rejects(stage(), { code: 'SOURCE_TOO_LARGE', message: /holds more than \d+/ })
  })
}

function optionsFor(root: string): DirectoryOptions {
  return { store: join(root, '.store'), settleMs }
}

async function list(root: string, options: Partial<DirectoryOptions> = {}): Promise<SourceListing> {
  return directory(root, { ...optionsFor(root), ...options }).list(signal)
}

/** Permissions do not stop the superuser, so the test gives its rights up until it ends. */
function asNobody(t: TestContext): void {
  if (process.geteuid?.() !== 0) return
  process.seteuid?.(65_534)
  t.after(() => process.seteuid?.(0))
}
