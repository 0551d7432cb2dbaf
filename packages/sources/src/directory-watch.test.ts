import assert from 'node:assert/strict'
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Source, SourceListing } from '@backplane/kernel'
import { fakeClock, temporaryDirectory } from '@backplane/testing'
import { directory } from './directory.ts'
import { codesOf, manifestOf, versionsOf, write } from './fixtures/package-folder.ts'

const { signal } = new AbortController()

test('a watch tells of packages added, edited in place, replaced, moved in and removed', async (t) => {
  const root = join(await temporaryDirectory(t), 'plugins')
  const aside = join(root, '..', 'aside')
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.0')), 'a/index.js': '' })
  await using watched = await Watched.start(root)
  assert.deepEqual(watched.versions, ['a 1.0.0'])

  await write(root, { 'b/plugin.json': JSON.stringify(manifestOf('b', '1.0.0')), 'b/index.js': '' })
  await watched.until(['a 1.0.0', 'b 1.0.0'])
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.1.0')) })
  await watched.until(['a 1.1.0', 'b 1.0.0'])

  await write(aside, { 'plugin.json': JSON.stringify(manifestOf('a', '2.0.0')), 'index.js': '' })
  await rename(join(root, 'a'), join(aside, '..', 'old'))
  await rename(aside, join(root, 'a'))
  await watched.until(['a 2.0.0', 'b 1.0.0'])

  await rm(join(root, 'b'), { recursive: true })
  await cp(join(root, 'a'), join(root, 'team', 'c'), { recursive: true })
  await write(root, { 'team/c/plugin.json': JSON.stringify(manifestOf('c', '1.0.0')) })
  await watched.until(['a 2.0.0', 'c 1.0.0'])
})

test('a change deep inside a package is told', async (t) => {
  const root = await temporaryDirectory(t)
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.0')), 'a/lib/deep/x.js': 'one' })
  await using watched = await Watched.start(root)
  const [before] = watched.fingerprints
  await write(root, { 'a/lib/deep/x.js': 'two' })
  await watched.next(() => watched.fingerprints[0] !== before)
})

test('a broken edit is told as a problem, its correction as a package', async (t) => {
  const root = await temporaryDirectory(t)
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.0')), 'a/index.js': '' })
  await using watched = await Watched.start(root)
  await write(root, { 'a/plugin.json': '{ broken' })
  await watched.next(() => watched.problems.join() === 'SOURCE_MANIFEST_INVALID')
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.1')) })
  await watched.until(['a 1.0.1'])
  assert.deepEqual(watched.problems, [])
})

test('a plugin directory may appear, go away and come back; nobody hints at the first', async (t) => {
  const root = join(await temporaryDirectory(t), 'not', 'yet')
  await using watched = await Watched.start(root)
  assert.deepEqual(watched.versions, [])
  for (const version of ['1.0.0', '2.0.0']) {
    await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', version)), 'a/index.js': '' })
    await watched.until([`a ${version}`])
    await rm(root, { recursive: true })
    await watched.until([])
  }
})

test('a watch tells what happened between the last listing and its start', async (t) => {
  const root = await temporaryDirectory(t)
  const source = sourceOf(root)
  await source.list(signal)
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.0')), 'a/index.js': '' })
  await using watched = await Watched.start(root, source, false)
  await watched.until(['a 1.0.0'])
})

test('a package is listed within two seconds of being there whole, at the pace of a daemon', async (t) => {
  const root = await temporaryDirectory(t)
  const clock = fakeClock()
  const source = directory([root], { store: join(root, '.store'), settleMs: 500, clock })
  await using watched = await Watched.start(root, source)
  await clock.waiting()
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.0')), 'a/index.js': '' })
  for (let passedMs = 0; watched.told === 0; passedMs += 50) {
    assert.ok(passedMs <= 2_000, 'it takes longer')
    await clock.waiting()
    await clock.advance(50)
  }
  await watched.until(['a 1.0.0'])
})

test('a disposed watch tells nothing more, and disposing twice is fine', async (t) => {
  const root = await temporaryDirectory(t)
  const watched = await Watched.start(root)
  await watched[Symbol.asyncDispose]()
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a', '1.0.0')), 'a/index.js': '' })
  await sourceOf(root).list(signal)
  await watched[Symbol.asyncDispose]()
  assert.equal(watched.told, 0)
})

test('a source told not to watch offers no watch', async (t) => {
  const root = await temporaryDirectory(t)
  assert.equal(directory(root, { store: join(root, '.store'), watch: false }).watch, undefined)
})

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
    return codesOf(this.#listing)
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
