import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'
import { createKernel, type Kernel } from '@backplane/kernel'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { directory } from './directory.ts'
import { importingRuntime } from './fixtures/importing-runtime.ts'
import { put, write } from './fixtures/package-folder.ts'
import { PackageStore, type StoredPackage } from './package-store.ts'
import { treeDigest } from './read-tree.ts'

const { signal } = new AbortController()
const point = defineProvider('demo.echo', { say: unary(anything, anything) })

test('fifty reloads leave the versions that are kept and no more', async (t) => {
  const { root, kernel, store } = await hosting(t)
  for (let version = 1; version <= 50; version += 1) {
    await write(root, { 'a/index.js': codeOf(version) })
    assert.deepEqual((await kernel.plugins.refresh()).updated, ['acme/a'])
    assert.equal(await kernel.provider(point, 'a').say('x'), version)
    assert.ok((await treesIn(store)).length <= 4, `after ${version} reloads`)
  }
  await kernel[Symbol.asyncDispose]()
  assert.equal((await treesIn(store)).length, 2)
})

test('a generation that still works keeps its bytes, however many versions came after it', async (t) => {
  const { root, kernel, store } = await hosting(t)
  await write(root, { 'a/index.js': codeOf(1) })
  await kernel.plugins.refresh()
  const lease = await kernel.lease(point, 'a')
  const [first = ''] = await treesIn(store)
  for (let version = 2; version <= 6; version += 1) {
    await write(root, { 'a/index.js': codeOf(version) })
    await kernel.plugins.refresh()
    await kernel.provider(point, 'a').say('x')
  }
  assert.equal(await lease.handle.say('x'), 1)
  assert.equal(await readFile(join(store, first, 'index.js'), 'utf8'), codeOf(1))
  await lease[Symbol.asyncDispose]()
  await kernel[Symbol.asyncDispose]()
  assert.ok(!(await treesIn(store)).includes(first))
})

test('a package that cannot be started is given back', async (t) => {
  const { root, kernel, store } = await hosting(t, 0)
  await write(root, { 'a/index.js': 'throw new Error("no")' })
  await kernel.plugins.refresh()
  assert.equal((await kernel.plugins.start('acme/a')).state.name, 'failed')
  assert.deepEqual(await treesIn(store), [])
})

test('of each plugin the newest are kept, by when they were last used', async (t) => {
  const store = new PackageStore(join(await temporaryDirectory(t), 'store'), 2)
  for (const text of ['one', 'two', 'three']) await (await putText(store, text)).release()
  const other = await putText(store, 'other', 'acme/b')
  await other.release()
  await other.release()
  const one = await putText(store, 'one')
  await one.release()
  assert.deepEqual(await textsIn(store.directory), ['one', 'other', 'three'])
})

test('equal bytes under two ids are one entry, kept as long as either wants it', async (t) => {
  const store = new PackageStore(join(await temporaryDirectory(t), 'store'), 1)
  await (await putText(store, 'same', 'acme/a')).release()
  await (await putText(store, 'same', 'acme/b')).release()
  await (await putText(store, 'newer', 'acme/a')).release()
  assert.deepEqual(await textsIn(store.directory), ['newer', 'same'])
  await (await putText(store, 'newer', 'acme/b')).release()
  assert.deepEqual(await textsIn(store.directory), ['newer'])
})

test('an entry that is used twice is kept until both have given it back', async (t) => {
  const path = join(await temporaryDirectory(t), 'store')
  const [one, other] = [new PackageStore(path, 0), new PackageStore(path, 0)]
  const [first, second] = [await putText(one, 'same'), await putText(other, 'same')]
  await first.release()
  await first.release()
  assert.deepEqual(await textsIn(path), ['same'])
  await second.release()
  assert.deepEqual(await textsIn(path), [])
})

test('what a living process uses no other collects; once it was killed, the next one does', async (t) => {
  const path = join(await temporaryDirectory(t), 'store')
  const user = await storeUser(t, path, 'use', 'in use')
  await storeUser(t, path, 'collect', 'by another')
  const store = new PackageStore(path, 0)
  await (await putText(store, 'mine')).release()
  assert.deepEqual(await textsIn(path), ['in use'])
  user.kill('SIGKILL')
  await once(user, 'exit')
  await (await putText(new PackageStore(path, 0), 'mine')).release()
  assert.deepEqual(await textsIn(path), [])
  assert.deepEqual(
    (await readdir(path)).filter((name) => name.startsWith('.lease') && name.includes(`-${user.pid}-`)),
    [],
  )
})

test('a lease of an earlier process with the same number counts for nothing', async (t) => {
  const path = join(await temporaryDirectory(t), 'store')
  const store = new PackageStore(path, 1)
  const stored = await putText(store, 'old')
  await stored.release()
  const lease = join(path, `.lease-${process.ppid}-1-0`)
  await mkdir(lease)
  await writeFile(join(lease, basename(stored.directory)), '')
  await (await putText(store, 'new')).release()
  assert.deepEqual(await textsIn(path), ['new'])
  await putText(new PackageStore(path, 1), 'newer')
  await assert.rejects(access(lease), { code: 'ENOENT' })
})

test('a collection that was killed half-way is finished by the next host, and entries nobody claims go', async (t) => {
  const path = join(await temporaryDirectory(t), 'store')
  const user = await storeUser(t, path, 'use', 'text')
  user.kill('SIGKILL')
  await once(user, 'exit')
  const aside = join(path, `.staging-${user.pid}-0123456789abcdef`)
  await write(aside, { 'lib/half.js': '' })
  const unclaimed = join(path, `sha256-${'0'.repeat(64)}`)
  await write(unclaimed, { 'index.js': 'nobody knows it' })
  await write(join(path, 'notes'), { 'a.txt': 'not the store’s' })
  await putText(new PackageStore(path, 1), 'new')
  const left = await readdir(path)
  assert.deepEqual(
    [basename(aside), basename(unclaimed), 'notes'].map((name) => left.includes(name)),
    [false, false, true],
  )
  assert.deepEqual(await textsIn(path), ['new', 'text'])
})

test('collections killed at any moment leave whole entries and a store that goes on', async (t) => {
  const path = join(await temporaryDirectory(t), 'store')
  for (let round = 0; round < 6; round += 1) {
    const user = await storeUser(t, path, 'use', `round ${round}`)
    const next = start(t, path, 'use', `next ${round}`)
    if (round % 2 === 0) next.kill('SIGKILL')
    else await once(next.stdout ?? next, 'data')
    user.kill('SIGKILL')
    next.kill('SIGKILL')
    for (const child of [user, next]) if (child.signalCode === null) await once(child, 'exit')
    for (const tree of await treesIn(path)) {
      const bytes = await readFile(join(path, tree, 'index.js'))
      assert.equal(treeDigest([{ path: 'index.js', executable: false, bytes }]).replace(':', '-'), tree)
    }
  }
  await (await putText(new PackageStore(path, 0), 'last')).release()
  assert.deepEqual(await treesIn(path), [])
  assert.deepEqual(
    (await readdir(path)).filter((name) => name.startsWith('.staging')),
    [],
  )
})

test('of a plugin that is removed by hand no tree is kept, and after the next start it is no owner', async (t) => {
  const { root, kernel, store } = await hosting(t)
  await kernel.provider(point, 'a').say('x')
  await write(root, { 'a/index.js': codeOf(1) })
  await kernel.plugins.refresh()
  assert.equal((await treesIn(store)).length, 2)
  const lease = await kernel.lease(point, 'a')
  const removed = kernel.plugins.remove('acme/a')
  assert.equal(await lease.handle.say('x'), 1)
  await lease[Symbol.asyncDispose]()
  await removed
  await kernel[Symbol.asyncDispose]()
  assert.deepEqual(await treesIn(store), [])
  await new PackageStore(store).recall('sha256:' + '0'.repeat(64), signal)
  assert.deepEqual(await readdir(join(store, '.owners')), [])
})

test('of a plugin that nobody asked for in a month of use nothing is kept at the next start; a month of rest changes nothing', async (t) => {
  const path = join(await temporaryDirectory(t), 'store')
  const before = new PackageStore(path, 2)
  for (const plugin of ['acme/gone', 'acme/used']) await (await putText(before, plugin, plugin)).release()
  const monthAgo = new Date(Date.now() - 31 * 86_400_000)
  const age = async (plugin: string): Promise<void> => {
    const folder = join(path, '.owners', encodeURIComponent(plugin))
    for (const entry of await readdir(folder)) await utimes(join(folder, entry), monthAgo, monthAgo)
  }
  await age('acme/gone')
  await age('acme/used')
  assert.equal(await new PackageStore(path, 2).recall('sha256:' + '0'.repeat(64), signal), undefined)
  assert.deepEqual(await textsIn(path), ['acme/gone', 'acme/used'], 'all of it rested as long')
  await (await putText(before, 'acme/used', 'acme/used')).release()
  await new PackageStore(path, 2).recall('sha256:' + '0'.repeat(64), signal)
  assert.deepEqual(await textsIn(path), ['acme/used'])
})

/** A kernel over one watched-by-hand package `acme/a`. */
async function hosting(t: TestContext, keepVersions = 2): Promise<{ root: string; store: string; kernel: Kernel }> {
  const home = await temporaryDirectory(t)
  const [root, store] = [join(home, 'plugins'), join(home, 'store')]
  await put(root, 'a', { contributes: { 'demo.echo': { a: {} } } }, { 'index.js': codeOf(0) })
  const kernel = await createKernel({
    host: { name: 'test', api: '1.0.0' },
    points: [point],
    sources: [directory(root, { store, settleMs: 5, keepVersions })],
    runtimes: [importingRuntime()],
    policy: { tier: () => 'trusted' },
    watch: false,
  })
  t.after(() => kernel[Symbol.asyncDispose]())
  return { root, store, kernel }
}

function codeOf(version: number): string {
  return `export default { setup: (scope) => scope.provide({ id: 'demo.echo', kind: 'provider' }, 'a', { say: () => ${version} }) }`
}

async function putText(store: PackageStore, text: string, plugin = 'acme/a'): Promise<StoredPackage> {
  const files = [{ path: 'index.js', executable: false, bytes: Buffer.from(text) }]
  return store.put({ plugin, facts: null }, { files, digest: treeDigest(files) }, signal)
}

async function treesIn(store: string): Promise<readonly string[]> {
  return (await readdir(store)).filter((name) => name.startsWith('sha256-'))
}

async function textsIn(store: string): Promise<readonly string[]> {
  const texts = (await treesIn(store)).map((tree) => readFile(join(store, tree, 'index.js'), 'utf8'))
  return (await Promise.all(texts)).sort()
}

function start(t: TestContext, path: string, what: 'use' | 'collect', text: string): ChildProcess {
  const program = fileURLToPath(new URL('fixtures/store-user.ts', import.meta.url))
  const args = ['--conditions=@backplane/source', program, path, '0', what, text]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  return child
}

/** Settles once its package is in the store; for `collect` once it ended. */
async function storeUser(t: TestContext, path: string, what: 'use' | 'collect', text: string): Promise<ChildProcess> {
  const child = start(t, path, what, text)
  await once(child.stdout ?? child, 'data')
  if (what === 'collect') await once(child, 'exit')
  return child
}
