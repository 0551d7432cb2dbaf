import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { directory } from './directory.ts'

const { signal } = new AbortController()
const settleMs = 10

test('a host that starts again takes manifests from the index', async (t) => {
  const place = await Place.make(t)
  assert.deepEqual(await place.descriptions(), ['a', 'b'])
  const index = await readFile(place.index, 'utf8')
  await place.putIndex(index.replace('"description":"a"', '"description":"from the index"'))
  assert.deepEqual(await place.descriptions(), ['from the index', 'b'])
})

test('an index whose bytes were damaged is ignored and replaced', async (t) => {
  const place = await Place.make(t)
  await place.descriptions()
  const index = await readFile(place.index, 'utf8')
  const damages = [
    index.replace('"description":"a"', '"description":"x"'),
    index.slice(0, -20),
    index.replace('backplane-manifests-1', 'backplane-manifests-0'),
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

test('a file added to a package that is otherwise unchanged is seen', async (t) => {
  const place = await Place.make(t)
  const before = await place.fingerprints()
  await writeFile(join(place.root, 'a', 'more.js'), '')
  await place.rest()
  const after = await place.fingerprints()
  assert.notEqual(after[0], before[0])
  assert.equal(after[1], before[1])
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
  const { packages, problems } = await place.list()
  assert.equal(packages.length, 2)
  assert.deepEqual(
    problems.map(({ path, error }) => [path, error.code]),
    [[place.index, 'SOURCE_STORE_FAILED']],
  )
})

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

  async put(name: string): Promise<void> {
    await mkdir(join(this.root, name), { recursive: true })
    const manifest = { schemaVersion: 1, id: `acme/${name}`, version: '1.0.0', requires: { api: '^1' }, description: name }
    await writeFile(join(this.root, name, 'plugin.json'), JSON.stringify(manifest))
  }

  /** Only folders that have been at rest are remembered, and whether they have is told by the system's clock. */
  async rest(): Promise<void> {
    await sleep(settleMs + 10)
  }

  list(): ReturnType<ReturnType<typeof directory>['list']> {
    const store = join(this.root, '..', 'store')
    return directory(this.root, { store, settleMs, index: this.index }).list(signal)
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
    const header = JSON.stringify({ format: 'backplane-manifests-1', sha256: hash('sha256', body) })
    await writeFile(this.index, `${header}\n${body}`)
  }
}
