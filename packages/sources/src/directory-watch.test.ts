import assert from 'node:assert/strict'
import { appendFile, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Source, SourceListing } from '@backplane/kernel'
import { fakeClock, temporaryDirectory, type FakeClock } from '@backplane/testing'
import { directory } from './directory.ts'

const { signal } = new AbortController()

test('a package written piece by piece is absent until it has been at rest', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  for (const piece of pieces('a', '1.0.0')) {
    await write(root, piece)
    const listing = await listWhile(source, clock, () => append(root, 'a/index.js', ' '))
    assert.deepEqual(listing, { packages: [], problems: [] })
  }
  assert.deepEqual(versionsOf(await listWhile(source, clock)), ['a 1.0.0'])
})

test('while a package is being overwritten its last state at rest stays listed', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  assert.deepEqual(versionsOf(await listWhile(source, clock)), ['a 1.0.0'])
  for (const piece of pieces('a', '2.0.0')) {
    await write(root, piece)
    const listing = await listWhile(source, clock, () => append(root, 'a/index.js', ' '))
    assert.deepEqual(versionsOf(listing), ['a 1.0.0'])
  }
  assert.deepEqual(versionsOf(await listWhile(source, clock)), ['a 2.0.0'])
})

test('equal sizes and times are not rest when the bytes differ between two looks', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': 'one' })
  const listing = await listWhile(source, clock, () => write(root, { 'a/index.js': 'two' }))
  assert.deepEqual(versionsOf(listing), [])
})

test('a package removed and put back within the settling time was never away', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  await listWhile(source, clock)
  await rename(join(root, 'a'), join(root, '.aside'))
  const listing = await listWhile(source, clock, () => rename(join(root, '.aside'), join(root, 'a')))
  assert.deepEqual(versionsOf(listing), ['a 1.0.0'])
  await rm(join(root, 'a'), { recursive: true })
  assert.deepEqual(versionsOf(await listWhile(source, clock)), [])
})

test('a new package that never comes to rest is reported', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  await listWhile(source, clock, () => append(root, 'a/index.js', ' '))
  await clock.advance(5_000)
  await append(root, 'a/index.js', ' ')
  const { packages, problems } = await listWhile(source, clock, () => append(root, 'a/index.js', ' '))
  assert.deepEqual(packages, [])
  assert.deepEqual(
    problems.map(({ path, error }) => [path, error.code]),
    [[join(root, 'a'), 'SOURCE_UNSETTLED']],
  )
})

test('a watch tells of packages added, edited in place, replaced, moved in and removed', async (t) => {
  const root = join(await temporaryDirectory(t), 'plugins')
  const aside = join(root, '..', 'aside')
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  await using watched = await Watched.start(root)
  assert.deepEqual(watched.versions, ['a 1.0.0'])

  await write(root, { 'b/plugin.json': manifestOf('b', '1.0.0'), 'b/index.js': '' })
  await watched.until(['a 1.0.0', 'b 1.0.0'])
  await write(root, { 'a/plugin.json': manifestOf('a', '1.1.0') })
  await watched.until(['a 1.1.0', 'b 1.0.0'])

  await write(aside, { 'plugin.json': manifestOf('a', '2.0.0'), 'index.js': '' })
  await rename(join(root, 'a'), join(aside, '..', 'old'))
  await rename(aside, join(root, 'a'))
  await watched.until(['a 2.0.0', 'b 1.0.0'])

  await rm(join(root, 'b'), { recursive: true })
  await cp(join(root, 'a'), join(root, 'team', 'c'), { recursive: true })
  await write(root, { 'team/c/plugin.json': manifestOf('c', '1.0.0') })
  await watched.until(['a 2.0.0', 'c 1.0.0'])
})

test('a change deep inside a package is told', async (t) => {
  const root = await temporaryDirectory(t)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/lib/deep/x.js': 'one' })
  await using watched = await Watched.start(root)
  const [before] = watched.fingerprints
  await write(root, { 'a/lib/deep/x.js': 'two' })
  await watched.next(() => watched.fingerprints[0] !== before)
})

test('a broken edit is told as a problem, its correction as a package', async (t) => {
  const root = await temporaryDirectory(t)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  await using watched = await Watched.start(root)
  await write(root, { 'a/plugin.json': '{ broken' })
  await watched.next(() => watched.problems.join() === 'SOURCE_MANIFEST_INVALID')
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.1') })
  await watched.until(['a 1.0.1'])
  assert.deepEqual(watched.problems, [])
})

test('a plugin directory may appear, go away and come back; nobody hints at the first', async (t) => {
  const root = join(await temporaryDirectory(t), 'not', 'yet')
  await using watched = await Watched.start(root)
  assert.deepEqual(watched.versions, [])
  for (const version of ['1.0.0', '2.0.0']) {
    await write(root, { 'a/plugin.json': manifestOf('a', version), 'a/index.js': '' })
    await watched.until([`a ${version}`])
    await rm(root, { recursive: true })
    await watched.until([])
  }
})

test('a watch tells what happened between the last listing and its start', async (t) => {
  const root = await temporaryDirectory(t)
  const source = sourceOf(root)
  await source.list(signal)
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  await using watched = await Watched.start(root, source, false)
  await watched.until(['a 1.0.0'])
})

test('a disposed watch tells nothing more, and disposing twice is fine', async (t) => {
  const root = await temporaryDirectory(t)
  const watched = await Watched.start(root)
  await watched[Symbol.asyncDispose]()
  await write(root, { 'a/plugin.json': manifestOf('a', '1.0.0'), 'a/index.js': '' })
  await sourceOf(root).list(signal)
  await watched[Symbol.asyncDispose]()
  assert.equal(watched.told, 0)
})

test('a source told not to watch offers no watch', async (t) => {
  const root = await temporaryDirectory(t)
  assert.equal(directory(root, { store: join(root, '.store'), watch: false }).watch, undefined)
})

const settleMs = 150

/** A source whose time the test moves; its first look is done. */
async function stoppedTime(t: TestContext): Promise<{ root: string; source: Source; clock: FakeClock }> {
  const root = await temporaryDirectory(t)
  const clock = fakeClock()
  const source = directory(root, { store: join(root, '.store'), settleMs, clock })
  await source.list(signal)
  return { root, source, clock }
}

/** One listing, with `meanwhile` between its two looks. */
async function listWhile(source: Source, clock: FakeClock, meanwhile?: () => Promise<void>): Promise<SourceListing> {
  const listing = source.list(signal)
  await clock.waiting()
  await meanwhile?.()
  await clock.advance(settleMs)
  return listing
}

/** A package as a slow copy writes it: neither file whole at first. */
function pieces(name: string, version: string): readonly Files[] {
  const manifest = manifestOf(name, version)
  return [
    { [`${name}/plugin.json`]: '' },
    { [`${name}/plugin.json`]: manifest.slice(0, 20) },
    { [`${name}/index.js`]: 'export ' },
    { [`${name}/index.js`]: 'export default 1' },
    { [`${name}/plugin.json`]: manifest },
    { [`${name}/lib/more.js`]: version },
  ]
}

type Files = Readonly<Record<string, string>>

function manifestOf(name: string, version: string): string {
  return JSON.stringify({ schemaVersion: 1, id: name, version, requires: { api: '^1.0.0' } })
}

async function write(root: string, files: Files): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

function append(root: string, path: string, text: string): Promise<void> {
  return mkdir(dirname(join(root, path)), { recursive: true }).then(() => appendFile(join(root, path), text))
}

function versionsOf({ packages }: SourceListing): readonly string[] {
  return packages.map(({ manifest }) => `${Reflect.get(Object(manifest), 'id')} ${Reflect.get(Object(manifest), 'version')}`)
}

function sourceOf(root: string): Source {
  return directory(root, { store: join(root, '.store'), settleMs: 20, lookMs: 50 })
}

/** What somebody knows of a source who lists it at the start and whenever told to. */
class Watched implements AsyncDisposable {
  told = 0
  readonly #source: Source
  #listing: SourceListing = { packages: [], problems: [] }
  #change = Promise.withResolvers<void>()
  #watch: AsyncDisposable | undefined

  constructor(source: Source) {
    this.#source = source
  }

  static async start(root: string, source: Source = sourceOf(root), listFirst = true): Promise<Watched> {
    const watched = new Watched(source)
    if (listFirst) watched.#listing = await source.list(signal)
    watched.#watch = source.watch?.(() => {
      watched.told += 1
      watched.#change.resolve()
    })
    return watched
  }

  get versions(): readonly string[] {
    return versionsOf(this.#listing)
  }

  get fingerprints(): readonly string[] {
    return this.#listing.packages.map(({ fingerprint }) => fingerprint)
  }

  get problems(): readonly string[] {
    return this.#listing.problems.map(({ error }) => error.code)
  }

  until(versions: readonly string[]): Promise<void> {
    return this.next(() => this.versions.join() === versions.join())
  }

  /** Lists after each change told, until the listing is as wanted. */
  async next(isWanted: () => boolean): Promise<void> {
    while (!isWanted()) {
      await this.#change.promise
      this.#change = Promise.withResolvers()
      this.#listing = await this.#source.list(signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]()
  }
}
