import assert from 'node:assert/strict'
import { appendFile, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Source, SourceListing } from '@backplane/kernel'
import { fakeClock, temporaryDirectory, type FakeClock } from '@backplane/testing'
import { directory } from './directory.ts'
import { manifestOf, versionsOf, write, type Files } from './fixtures/package-folder.ts'

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
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a')), 'a/index.js': '' })
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
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a')), 'a/index.js': 'one' })
  const listing = await listWhile(source, clock, () => write(root, { 'a/index.js': 'two' }))
  assert.deepEqual(versionsOf(listing), [])
})

test('a package removed and put back within the settling time was never away', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a')), 'a/index.js': '' })
  await listWhile(source, clock)
  await rename(join(root, 'a'), join(root, '.aside'))
  const listing = await listWhile(source, clock, () => rename(join(root, '.aside'), join(root, 'a')))
  assert.deepEqual(versionsOf(listing), ['a 1.0.0'])
  await rm(join(root, 'a'), { recursive: true })
  assert.deepEqual(versionsOf(await listWhile(source, clock)), [])
})

test('a new package that never comes to rest is reported', async (t) => {
  const { root, source, clock } = await stoppedTime(t)
  await write(root, { 'a/plugin.json': JSON.stringify(manifestOf('a')), 'a/index.js': '' })
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
  const manifest = JSON.stringify(manifestOf(name, version))
  return [
    { [`${name}/plugin.json`]: '' },
    { [`${name}/plugin.json`]: manifest.slice(0, 20) },
    { [`${name}/index.js`]: 'export ' },
    { [`${name}/index.js`]: 'export default 1' },
    { [`${name}/plugin.json`]: manifest },
    { [`${name}/lib/more.js`]: version },
  ]
}

function append(root: string, path: string, text: string): Promise<void> {
  return mkdir(dirname(join(root, path)), { recursive: true }).then(() => appendFile(join(root, path), text))
}
