import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import type { FoundPackage, ManifestSummary, Source, SourceListing } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { directory } from './directory.ts'

const { signal } = new AbortController()
const settleMs = 10

test('a host that starts again takes manifests from the index', async (t) => {
  const place = await Place.make(t)
  assert.deepEqual(await place.descriptions(), ['a', 'b'])
  const index = await readFile(place.index, 'utf8')
  await place.putIndex(index.replaceAll('"description":"a"', '"description":"x"'))
  assert.deepEqual(await place.descriptions(), ['x', 'b'])
})

test('an index whose bytes were damaged is ignored and replaced', async (t) => {
  const place = await Place.make(t)
  await place.descriptions()
  const index = await readFile(place.index, 'utf8')
  const damages = [
    index.replace('"description":"a"', '"description":"x"'),
    index.slice(0, -20),
    index.replace('backplane-manifests-2', 'backplane-manifests-1'),
    '',
    '\0'.repeat(100),
  ]
  for (const damaged of damages) {
    await writeFile(place.index, damaged)
    assert.deepEqual(await place.descriptions(), ['a', 'b'])
    assert.equal(await readFile(place.index, 'utf8'), index)
  }
})

test('what changed since the index was written is read again, even with its size and time restored', async (t) => {
  const place = await Place.make(t)
  await place.descriptions()
  const manifest = join(place.root, 'a', 'plugin.json')
  const { atime, mtime } = await stat(manifest)
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('"a"}', '"z"}'))
  await utimes(manifest, atime, mtime)
  await place.put('c')
  await rm(join(place.root, 'b'), { recursive: true })
  await place.rest()
  assert.deepEqual(await place.descriptions(), ['z', 'c'])
})

test('of a package with the same manifest, other files that changed are seen at the second look and never loaded unseen', async (t) => {
  const place = await Place.make(t)
  const before = await place.fingerprints()
  await writeFile(join(place.root, 'a', 'index.js'), 'changed while the host was down')
  await place.rest()
  const source = place.source()
  const [first] = (await source.list(signal)).packages
  assert.equal(first?.fingerprint, before[0])
  await assert.rejects(async () => first?.stage(signal), { code: 'SOURCE_CHANGED' })
  const [second, other] = (await source.list(signal)).packages
  assert.notEqual(second?.fingerprint, before[0])
  assert.equal(other?.fingerprint, before[1])
  assert.match((await second?.stage(signal))?.digest ?? '', /^sha256:/)
})

test('a package from the index that is a link by now is not staged, and gone at the second look', async (t) => {
  const place = await Place.make(t)
  await place.list()
  const aside = join(place.root, '..', 'aside')
  await rename(join(place.root, 'a'), aside)
  await symlink(aside, join(place.root, 'a'))
  const source = place.source()
  const [first] = (await source.list(signal)).packages
  await assert.rejects(async () => first?.stage(signal), { code: 'SOURCE_CHANGED' })
  assert.deepEqual(
    (await source.list(signal)).problems.map(({ error }) => error.code),
    ['SOURCE_LINK_SKIPPED'],
  )
})

test('packages are named by their summaries, and of one id the highest version comes first', async (t) => {
  const place = await Place.make(t)
  await place.put('c', { id: 'acme/a', version: '2.0.0' })
  await place.rest()
  await place.list()
  const { packages } = await place.source().list(signal)
  assert.deepEqual(
    packages.map(({ summary }) => [summary?.rules, summary?.manifest.id, summary?.manifest.version]),
    [
      ['test', 'acme/a', '2.0.0'],
      ['test', 'acme/a', '1.0.0'],
      ['test', 'acme/b', '1.0.0'],
    ],
  )
})

test('a package nobody could make a summary of is not in the index', async (t) => {
  const place = await Place.make(t)
  await place.source().list(signal)
  await assert.rejects(stat(place.index), { code: 'ENOENT' })
})

test('summaries that were made under other rules are replaced in the index', async (t) => {
  const place = await Place.make(t)
  await place.list()
  const source = place.source()
  const { packages } = await source.list(signal)
  await source.remember?.(new Map(packages.map((found) => [found, { rules: 'newer', manifest: Object(found.manifest) }])))
  assert.deepEqual(
    (await place.source().list(signal)).packages.map(({ summary }) => summary?.rules),
    ['newer', 'newer'],
  )
})

test('the index is private, and nothing is left beside it', async (t) => {
  const place = await Place.make(t)
  await place.descriptions()
  assert.equal((await stat(place.index)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(dirname(place.index)), ['manifests'])
})

test('an index that cannot be written is a problem; the packages are listed all the same', async (t) => {
  const place = await Place.make(t)
  await mkdir(place.index, { recursive: true })
  const source = place.source()
  await remember(source)
  const { packages, problems } = await source.list(signal)
  assert.equal(packages.length, 2)
  assert.deepEqual(
    problems.map(({ path, error }) => [path, error.code]),
    [[place.index, 'SOURCE_STORE_FAILED']],
  )
})

/** Lists, and lets the source keep a summary of each package, as a kernel does. */
async function remember(source: Source): Promise<SourceListing> {
  const listing = await source.list(signal)
  const unknown = listing.packages.filter(({ summary }) => summary === undefined)
  const summaries = unknown.map((found) => [found, { rules: 'test', manifest: Object(found.manifest) }] as const)
  if (summaries.length > 0) await source.remember?.(new Map<FoundPackage, ManifestSummary>(summaries))
  return listing
}

/** Two packages that have been at rest, and a source made anew for every listing, as by a host that starts again. */
class Place {
  readonly root: string
  readonly index: string

  constructor(home: string) {
    this.root = join(home, 'plugins')
    this.index = join(home, 'cache', 'manifests')
  }

  static async make(t: TestContext): Promise<Place> {
    const place = new Place(await temporaryDirectory(t))
    for (const name of ['a', 'b']) await place.put(name)
    await place.rest()
    return place
  }

  async put(name: string, fields: object = {}): Promise<void> {
    await mkdir(join(this.root, name), { recursive: true })
    const shared = { schemaVersion: 1, version: '1.0.0', requires: { api: '^1' } }
    const manifest = { ...shared, id: `acme/${name}`, ...fields, description: name }
    await writeFile(join(this.root, name, 'index.js'), '')
    await writeFile(join(this.root, name, 'plugin.json'), JSON.stringify(manifest))
  }

  /** Only folders that have been at rest are remembered, and whether they have is told by the system's clock. */
  async rest(): Promise<void> {
    await sleep(settleMs + 10)
  }

  source(): Source {
    const store = join(this.root, '..', 'store')
    return directory(this.root, { store, settleMs, index: this.index })
  }

  /** What a host does at its start. */
  list(): Promise<SourceListing> {
    return remember(this.source())
  }

  async descriptions(): Promise<readonly unknown[]> {
    const { packages } = await this.list()
    return packages.map(({ manifest }) => Reflect.get(Object(manifest), 'description') as unknown)
  }

  async fingerprints(): Promise<readonly string[]> {
    return (await this.list()).packages.map(({ fingerprint }) => fingerprint)
  }

  /** Replaces the index by one whose checksum is right. */
  async putIndex(text: string): Promise<void> {
    const body = text.slice(text.indexOf('\n') + 1)
    const header = JSON.stringify({ format: 'backplane-manifests-2', sha256: hash('sha256', body) })
    await writeFile(this.index, `${header}\n${body}`)
  }
}
