import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { PackageStore } from './package-store.ts'
import { treeDigest, type PackageTree, type TreeFile } from './read-tree.ts'

const { signal } = new AbortController()

test('the digest is the documented one', () => {
  const files = [fileOf('b/\u{10000}', 'two', true), fileOf('b/\u{FFFD}', 'three'), fileOf('a', 'one')]
  const line = (mark: string, text: string, path: string): string => `${mark} ${text.length} ${hash('sha256', text)} ${path}\0`
  const text = 'backplane-tree-1\n' + line('-', 'one', 'a') + line('-', 'three', 'b/\u{FFFD}') + line('x', 'two', 'b/\u{10000}')
  assert.equal(treeDigest(files), `sha256:${hash('sha256', text)}`)
})

test('an entry is named by its digest, holds exactly the files, and cannot be written to', async (t) => {
  const store = new PackageStore(join(await temporaryDirectory(t), 'store'))
  const tree = treeOf(fileOf('index.js', 'one'), fileOf('bin/run', '#!/bin/sh', true))
  const entry = await put(store, tree, signal)
  assert.equal(basename(entry), tree.digest.replace(':', '-'))
  const modes = ['.', 'bin', 'bin/run', 'index.js'].map(async (path) => (await stat(join(entry, path))).mode & 0o777)
  assert.deepEqual(await Promise.all(modes), [0o555, 0o555, 0o555, 0o444])
  assert.equal(await readFile(join(entry, 'bin/run'), 'utf8'), '#!/bin/sh')
  assert.deepEqual(await entriesOf(store.directory), [basename(entry)])
  assert.equal((await stat(store.directory)).mode & 0o777, 0o700)
})

test('an entry that is there is used again, as it is', async (t) => {
  const store = new PackageStore(join(await temporaryDirectory(t), 'store'))
  const entry = await put(store, treeOf(fileOf('index.js', 'one')), signal)
  const before = await stat(entry)
  const puts = [1, 2, 3].map(() => put(store, treeOf(fileOf('index.js', 'one')), signal))
  assert.deepEqual(await Promise.all(puts), [entry, entry, entry])
  assert.equal((await stat(entry)).ino, before.ino)
})

test('of two that put the same package at once, both get the one entry', async (t) => {
  const directory = join(await temporaryDirectory(t), 'store')
  const tree = treeOf(...Array.from({ length: 20 }, (_, at) => fileOf(`lib/${at}.js`, `${at}`)))
  const entries = await Promise.all([1, 2, 3, 4].map(() => put(new PackageStore(directory), tree, signal)))
  assert.equal(new Set(entries).size, 1)
  assert.equal((await entriesOf(directory)).length, 1)
})

const tampering: Readonly<Record<string, (entry: string) => Promise<void>>> = {
  'with an edited file': (entry) => writeFile(join(entry, 'index.js'), 'eno'),
  'with a file more, even a hidden one': (entry) => writeFile(join(entry, '.more.js'), ''),
  'with a file less': (entry) => rm(join(entry, 'lib/a.js')),
  'with a changed mode': (entry) => chmod(join(entry, 'index.js'), 0o755),
  'replaced by a file': async (entry) => {
    await rm(entry, { recursive: true })
    await writeFile(entry, '')
  },
}

for (const [title, tamper] of Object.entries(tampering)) {
  test(`an entry ${title} is replaced before it is used`, async (t) => {
    const store = new PackageStore(join(await temporaryDirectory(t), 'store'))
    const tree = treeOf(fileOf('index.js', 'one'), fileOf('lib/a.js', 'a'))
    const entry = await put(store, tree, signal)
    for (const path of ['.', 'lib', 'index.js']) await chmod(join(entry, path), 0o755)
    await tamper(entry)
    assert.equal(await put(store, tree, signal), entry)
    assert.deepEqual(await readdir(entry), ['index.js', 'lib'])
    assert.equal(await readFile(join(entry, 'index.js'), 'utf8'), 'one')
    assert.deepEqual(await entriesOf(store.directory), [basename(entry)])
  })
}

test('a new host removes what a killed one was writing, and nothing else', async (t) => {
  const directory = join(await temporaryDirectory(t), 'store')
  const dead = spawnSync('true').pid
  const leftovers = [`.staging-${dead}-0123456789abcdef`, `.staging-${process.pid}-0123456789abcdef`]
  for (const name of leftovers) {
    await mkdir(join(directory, name, 'lib'), { recursive: true, mode: 0o700 })
    await writeFile(join(directory, name, 'lib', 'half.js'), '')
    await chmod(join(directory, name, 'lib'), 0o555)
  }
  await mkdir(join(directory, `.staging-${process.ppid}-0123456789abcdef`))
  await mkdir(join(directory, 'notes'))
  const entry = await put(new PackageStore(directory), treeOf(fileOf('index.js', 'one')), signal)
  const left = [`.staging-${process.ppid}-0123456789abcdef`, 'notes', basename(entry)]
  assert.deepEqual((await entriesOf(directory)).toSorted(), left.sort())
})

test('aborting leaves nothing behind', async (t) => {
  const store = new PackageStore(join(await temporaryDirectory(t), 'store'))
  const reason = new Error('enough')
  await assert.rejects(put(store, treeOf(fileOf('index.js', 'one')), AbortSignal.abort(reason)), reason)
  assert.deepEqual(await entriesOf(store.directory), [])
})

test('a store that others may write to is refused', async (t) => {
  const directory = await temporaryDirectory(t)
  await chmod(directory, 0o777)
  const store = new PackageStore(directory)
  const attempt = (): Promise<string> => put(store, treeOf(fileOf('index.js', 'one')), signal)
  await assert.rejects(attempt(), { code: 'SOURCE_STORE_UNSAFE' })
  await chmod(directory, 0o700)
  await attempt()
})

test('a store that cannot be written says so, with the cause', async (t) => {
  const file = join(await temporaryDirectory(t), 'file')
  await writeFile(file, '')
  const attempt = put(new PackageStore(join(file, 'store')), treeOf(fileOf('index.js', 'one')), signal)
  await assert.rejects(attempt, { code: 'SOURCE_STORE_FAILED', retryable: true, message: /ENOTDIR/ })
})

async function put(store: PackageStore, tree: PackageTree, given: AbortSignal): Promise<string> {
  return (await store.put({ plugin: 'acme/a', facts: null }, tree, given)).directory
}

/** What is in a store but for who uses it. */
async function entriesOf(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => !/^\.(?:lease|owners)/.test(name))
}

function fileOf(path: string, text: string, executable = false): TreeFile {
  return { path, executable, bytes: Buffer.from(text) }
}

function treeOf(...files: readonly TreeFile[]): PackageTree {
  return { files, digest: treeDigest(files) }
}
