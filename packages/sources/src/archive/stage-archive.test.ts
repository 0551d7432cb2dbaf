import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { treeDigest, type TreeFile } from '../read-tree.ts'
import { archiveTree } from './archive-tree.ts'
import { pathsIn, stagingGround } from './fixtures/staging-ground.ts'
import { tgzOf, type RawTarEntry } from './fixtures/raw-tar.ts'
import { zipOf } from './fixtures/raw-zip.ts'
import { readArchive, type Archive } from './read-archive.ts'
import { stageArchive } from './stage-archive.ts'
import { unpackArchive } from './unpack-archive.ts'

const { signal } = new AbortController()

const entries: readonly RawTarEntry[] = [
  { name: 'package/', type: '5', mode: '0000777' },
  { name: 'package/plugin.json', body: '{"id":"acme/a"}', mode: '0000666' },
  { name: 'package/bin/run', body: '#!/bin/sh\n', mode: '0001711' },
  { name: 'package/lib/deep/empty.js', mode: '0000000' },
  { name: 'package/nothing/in/it/', type: '5' },
  { name: 'package/large', body: Buffer.alloc(200_000, 'abc') },
]

test('modes are 0644 or 0755 whatever the archive says, and folders are made for files only', async (t) => {
  const { stage } = await stagingGround(t)
  const umask = process.umask(0o077)
  t.after(() => process.umask(umask))
  await using staged = await stage(tgzOf(entries))
  assert.equal((await stat(staged.directory)).mode, 0o040700)
  assert.deepEqual(pathsIn(staged.directory), [
    'package 40755 ',
    'package/bin 40755 ',
    'package/bin/run 100755 10',
    'package/large 100644 200000',
    'package/lib 40755 ',
    'package/lib/deep 40755 ',
    'package/lib/deep/empty.js 100644 0',
    'package/plugin.json 100644 15',
  ])
  assert.equal(await readFile(join(staged.directory, 'package/plugin.json'), 'utf8'), '{"id":"acme/a"}')
})

test('the digest is that of the store, known before a byte is written', async () => {
  const archive = await readArchive(tgzOf(entries), {}, signal)
  const files = [
    { path: 'plugin.json', executable: false, bytes: Buffer.from('{"id":"acme/a"}') },
    { path: 'bin/run', executable: true, bytes: Buffer.from('#!/bin/sh\n') },
    { path: 'lib/deep/empty.js', executable: false, bytes: Buffer.alloc(0) },
    { path: 'large', executable: false, bytes: Buffer.alloc(200_000, 'abc') },
  ]
  assert.equal(archiveTree(archive, 'strip').digest, treeDigest(files))
  assert.notEqual(archiveTree(archive, 'keep').digest, treeDigest(files))
})

test('the one folder everything lies in is taken away when asked for, whatever it is called', async (t) => {
  const { stage } = await stagingGround(t)
  for (const top of ['package', 'acme-plugin-1.0.0']) {
    await using staged = await stage(zipOf([{ name: `${top}/lib/a.js` }, { name: `${top}/b.js` }]), {}, 'strip')
    assert.deepEqual(pathsIn(staged.directory), ['b.js 100644 0', 'lib 40755 ', 'lib/a.js 100644 0'])
  }
})

test('a package in memory is the one that is staged, and what is hidden is beside it', async (t) => {
  const { stage } = await stagingGround(t)
  const names = [
    'package/a.js',
    'package/.npmrc',
    'package/.backplane/acme.dsse.json',
    'package/lib/.b/c.js',
    'package/lib/..d',
    'package/bin/run',
  ]
  const bytes = zipOf(names.map((name) => ({ name, body: `this is ${name}`, mode: name.endsWith('run') ? 0o100755 : 0o100644 })))
  const archive = await readArchive(bytes, {}, signal)
  assert.equal(archive.files.length, names.length)
  const unpacked = await unpackArchive(archive, { topFolder: 'strip', signal })
  assert.deepEqual(unpacked.files.map(asText), [
    ['a.js', false, 'this is package/a.js'],
    ['bin/run', true, 'this is package/bin/run'],
  ])
  assert.deepEqual(unpacked.hidden.map(asText), [
    ['.npmrc', false, 'this is package/.npmrc'],
    ['.backplane/acme.dsse.json', false, 'this is package/.backplane/acme.dsse.json'],
    ['lib/.b/c.js', false, 'this is package/lib/.b/c.js'],
    ['lib/..d', false, 'this is package/lib/..d'],
  ])
  assert.equal(unpacked.digest, treeDigest(unpacked.files))
  await using staged = await stage(bytes, {}, 'strip')
  assert.equal(staged.digest, unpacked.digest)
  assert.equal(staged.hidden.length, 4)
  assert.deepEqual(pathsIn(staged.directory), ['a.js 100644 20', 'bin 40755 ', 'bin/run 100755 23'])
})

test('an archive with hidden files alone holds no package', async () => {
  const archive = await readArchive(tgzOf([{ name: 'package/.npmrc', body: 'a' }]), {}, signal)
  assert.throws(() => archiveTree(archive, 'strip'), { code: 'ARCHIVE_EMPTY' })
  await assert.rejects(unpackArchive(archive, { topFolder: 'strip', signal }), { code: 'ARCHIVE_EMPTY' })
})

test('no folder is taken away when not everything lies in one', async (t) => {
  const { stage, look } = await stagingGround(t)
  const before = look()
  for (const names of [['package/a', 'b'], ['a'], ['package/a', 'packages/b'], ['a/b', 'b/a']]) {
    const bytes = tgzOf(names.map((name) => ({ name })))
    await assert.rejects(stage(bytes, {}, 'strip'), { code: 'ARCHIVE_NO_TOP_FOLDER' })
  }
  assert.deepEqual(look(), before)
})

test('a staged archive is removed when it is disposed, once it was moved away it is not', async (t) => {
  const { parent, stage } = await stagingGround(t)
  const staged = await stage(tgzOf(entries))
  await staged[Symbol.asyncDispose]()
  await staged[Symbol.asyncDispose]()
  assert.deepEqual(await readdir(parent), [])
  const kept = await stage(tgzOf(entries))
  await rename(kept.directory, join(parent, 'kept'))
  await kept[Symbol.asyncDispose]()
  assert.deepEqual(await readdir(parent), ['kept'])
})

test('given up at any step, nothing is left and nothing is written any more', async (t) => {
  const { parent, look } = await stagingGround(t)
  const before = look()
  const whole = await readArchive(tgzOf(entries), {}, signal)
  const steps = await countOf(whole.parts(signal))
  assert.ok(steps > 12)
  for (let step = 0; step <= steps; step += 1) {
    const giveUp = new AbortController()
    const archive = { ...whole, parts: () => interrupted(whole, step, () => giveUp.abort()) }
    await assert.rejects(stageArchive(archive, parent, { signal: giveUp.signal }), { name: 'AbortError' })
    assert.ok(!process.getActiveResourcesInfo().includes('FSReqPromise'), `something is under way after step ${step}`)
    assert.deepEqual(look(), before)
  }
})

test('who gave up before reading or staging began is answered at once', async (t) => {
  const { parent } = await stagingGround(t)
  const given = AbortSignal.abort()
  const archive = await readArchive(tgzOf(entries), {}, signal)
  await assert.rejects(readArchive(tgzOf(entries), {}, given), { name: 'AbortError' })
  await assert.rejects(stageArchive(archive, parent, { signal: given }), { name: 'AbortError' })
})

test('given up in the middle of a bomb, reading stops there', async () => {
  const giveUp = new AbortController()
  const bytes = tgzOf([{ name: 'a', body: Buffer.alloc(16_000_000) }])
  const reading = readArchive(bytes, { ratio: Infinity }, giveUp.signal)
  setImmediate(() => giveUp.abort())
  await assert.rejects(reading, { name: 'AbortError' })
})

test('bytes that change after they were listed are not staged', async (t) => {
  const { parent, look } = await stagingGround(t)
  const before = look()
  const names = ['package/a', 'package/b']
  const bytesOf = (...bodies: readonly string[]): Buffer => {
    return zipOf(bodies.map((body, index) => ({ name: names[index] ?? 'package/c', method: 0, body })))
  }
  for (const now of [bytesOf('one', 'TWO'), bytesOf('one', 'other'), bytesOf('one'), bytesOf('one', 'two', 'three')]) {
    const archive = await readArchive(bytesOf('one', 'two'), {}, signal)
    const later = await readArchive(now, {}, signal)
    const changed = { ...archive, parts: later.parts }
    await assert.rejects(stageArchive(changed, parent, { signal }), { code: 'ARCHIVE_CHANGED' })
    await assert.rejects(unpackArchive(changed, { signal }), { code: 'ARCHIVE_CHANGED' })
    assert.deepEqual(look(), before)
  }
})

test('a folder to stage in is made for the host alone; another that is open to others is refused', async (t) => {
  const home = await temporaryDirectory(t)
  const archive = await readArchive(tgzOf(entries), {}, signal)
  await using staged = await stageArchive(archive, join(home, 'new', 'staging'), { signal })
  assert.equal((await stat(join(staged.directory, '..'))).mode, 0o040700)
  await mkdir(join(home, 'open'))
  await chmod(join(home, 'open'), 0o777)
  await writeFile(join(home, 'file'), '')
  const stageIn = (name: string): Promise<unknown> => stageArchive(archive, join(home, name), { signal })
  await assert.rejects(stageIn('open'), { code: 'SOURCE_STORE_UNSAFE' })
  await assert.rejects(stageIn('file/staging'), { code: 'ARCHIVE_STAGING_FAILED' })
  assert.deepEqual(await readdir(join(home, 'open')), [])
})

test('what is no file, or is not there, is not read', async (t) => {
  const home = await temporaryDirectory(t)
  for (const path of [home, '/dev/zero', join(home, 'none.tgz')]) {
    await assert.rejects(readArchive(path, {}, signal), { code: 'ARCHIVE_UNREADABLE' })
  }
})

function asText({ path, executable, bytes }: TreeFile): readonly unknown[] {
  return [path, executable, Buffer.from(bytes).toString()]
}

async function countOf(parts: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of parts) count += 1
  return count
}

/** The parts of an archive; before the part with that number, or at the end, something happens. */
async function* interrupted(archive: Archive, step: number, happen: () => void): ReturnType<Archive['parts']> {
  let count = 0
  for await (const part of archive.parts(signal)) {
    if (count === step) happen()
    count += 1
    yield part
  }
  if (count === step) happen()
}
