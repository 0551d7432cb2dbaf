import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import type { Source } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import type { Dialect } from './dialect.ts'
import { directory } from './directory.ts'
import { codesOf, idsOf, manifestOf, put, write } from './fixtures/package-folder.ts'

const { signal } = new AbortController()

test('a dialect reads folders and single modules that have no plugin.json', async (t) => {
  const root = await temporaryDirectory(t)
  await put(join(root, 'plugins'), 'modern', {}, { 'index.js': '', 'package.json': '{}' })
  await write(join(root, 'plugins'), {
    'legacy/package.json': '{"legacy": "acme/legacy"}',
    'legacy/main.js': 'export const x = 1',
    'single.ts': 'export const x: number = 1',
    'notes.txt': 'no module',
    'unclaimed/package.json': '{}',
    'unclaimed/inner/plugin.json': JSON.stringify(manifestOf('inner')),
    'unclaimed/inner/index.js': '',
    'guided/main.mjs': 'export const x = 1',
  })
  const asked: string[] = []
  const dialect: Dialect = {
    name: 'legacy',
    read: async ({ path, kind }) => {
      if (path.startsWith(join(root, 'plugins'))) asked.push(`${kind} ${path.slice(root.length + 9)}`)
      if (path.endsWith('single.ts')) return { manifest: manifestOf('single'), main: 'single.ts' }
      const text = await readFile(join(path, 'package.json'), 'utf8').catch(() => '')
      if (text.includes('legacy')) return { manifest: manifestOf('legacy'), main: 'main.js', adapter: '/host/adapter.js' }
      return undefined
    },
  }
  const source = sourceWith(dialect, root)
  const listing = await source.list(signal)
  assert.deepEqual(idsOf(listing), ['acme/legacy', 'acme/modern', 'acme/single', 'acme/inner'])
  assert.deepEqual(asked.sort(), ['file single.ts', 'folder guided', 'folder legacy', 'folder unclaimed'])
  const [legacy, , single] = await Promise.all(listing.packages.map((found) => found.stage(signal)))
  assert.ok(legacy?.code.kind === 'files' && single?.code.kind === 'files')
  assert.deepEqual([legacy.code.main, legacy.code.adapter], ['main.js', '/host/adapter.js'])
  assert.deepEqual(await readdir(single.code.directory), ['single.ts'])
})

test('a folder is known by a file of the dialect too, however its module is called', async (t) => {
  const root = await temporaryDirectory(t)
  await write(join(root, 'plugins'), { 'old/plugin.ini': '', 'old/start.cjs': '', 'other/start.cjs': '' })
  const read: Dialect['read'] = ({ path, kind }) =>
    Promise.resolve(kind === 'folder' ? { manifest: manifestOf(basename(path)), main: 'start.cjs' } : undefined)
  assert.deepEqual(idsOf(await sourceWith({ name: 'ini', read, marks: ['plugin.ini'] }, root).list(signal)), ['acme/old'])
  assert.deepEqual(idsOf(await sourceWith({ name: 'ini', read }, root).list(signal)), [])
})

test('a single module is found in any folder, but not among the modules of a package', async (t) => {
  const root = await temporaryDirectory(t)
  await put(join(root, 'plugins'), 'modern', {}, { 'index.js': '', 'parts/own.js': '' })
  await write(join(root, 'plugins'), {
    'main.js': 'the plugin directory itself is no package',
    'clouds/one.mjs': 'one',
    'clouds/europe/two.ts': 'two',
    'clouds/old.cjs': 'CommonJS',
    'clouds/node_modules/dependency.js': 'never looked at',
    'legacy/index.js': 'claimed',
    'legacy/part.js': 'a part of it',
    'legacy/parts/more.js': 'a part of it',
    'library/package.json': '{}',
    'library/part.js': 'of a package that is no plugin',
    'library/parts/more.js': 'of a package that is no plugin',
  })
  const asked: string[] = []
  const dialect: Dialect = {
    name: 'legacy',
    read: async ({ path, kind }) => {
      asked.push(`${kind} ${path.slice(root.length + 9)}`)
      const name = basename(path)
      if (name.startsWith('one') || name.startsWith('two')) return { manifest: manifestOf(name.slice(0, 3)), main: name }
      return name === 'legacy' ? { manifest: manifestOf('legacy'), main: 'index.js' } : undefined
    },
  }
  const listing = await sourceWith(dialect, root).list(signal)
  assert.deepEqual(idsOf(listing).toSorted(byText), ['acme/legacy', 'acme/modern', 'acme/one', 'acme/two'])
  assert.deepEqual(asked.toSorted(byText), [
    'file clouds/europe/two.ts',
    'file clouds/old.cjs',
    'file clouds/one.mjs',
    'file main.js',
    'folder legacy',
    'folder library',
  ])
})

test('a dialect is asked again only when its package changed', async (t) => {
  const root = await temporaryDirectory(t)
  await write(join(root, 'plugins'), { 'single.js': 'one' })
  let asked = 0
  const dialect: Dialect = {
    name: 'legacy',
    read: async () => ({ manifest: { ...manifestOf('single'), description: `${(asked += 1)}` }, main: 'single.js' }),
  }
  const source = sourceWith(dialect, root)
  for (let looks = 0; looks < 3; looks += 1) await source.list(signal)
  assert.equal(asked, 1)
  await write(join(root, 'plugins'), { 'single.js': 'two' })
  const [found] = (await source.list(signal)).packages
  assert.deepEqual(found?.manifest, { ...manifestOf('single'), description: '2' })
})

/** Says what the code says of itself. */
const telling: Dialect = {
  name: 'telling',
  read: async ({ path, kind }) => {
    const file = kind === 'file' ? path : join(path, 'index.js')
    const [, permission] = /^\/\/ asks for (.+)$/m.exec(await readFile(file, 'utf8').catch(() => '')) ?? []
    const manifest = { ...manifestOf('single'), permissions: [permission] }
    return permission === undefined ? undefined : { manifest, main: basename(file), adapter: '/host/adapter.js' }
  },
}

for (const [kind, path] of [
  ['a single file', 'single.js'],
  ['a folder', 'single/index.js'],
] as const) {
  test(`what a dialect makes of ${kind} is made again of the bytes that are loaded, whatever is kept beside them`, async (t) => {
    const root = await temporaryDirectory(t)
    await write(join(root, 'plugins'), { [path]: '// asks for exec ls' })
    const source = sourceWith(telling, root)
    const [found] = (await source.list(signal)).packages
    const staged = await found?.stage(signal)
    assert.ok(staged !== undefined)
    const kept = join(root, 'store/.owners')
    for (const owner of await readdir(kept)) {
      for (const entry of await readdir(join(kept, owner))) {
        const evil = { manifest: { ...manifestOf('single'), permissions: ['exec rm'] }, main: '../evil.js', adapter: '/evil.js' }
        await writeFile(join(kept, owner, entry), JSON.stringify(evil))
      }
    }
    const recalled = await source.recall?.(staged.digest, signal)
    assert.deepEqual(Reflect.get(Object(recalled?.manifest), 'permissions'), ['exec ls'])
    assert.deepEqual(recalled?.staged.code, staged.code)
  })
}

test('a dialect that says another thing of the staged bytes than it said when they were listed stages nothing', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'plugins'))
  await write(join(root, 'plugins'), { 'single.js': '// asks for nothing much' })
  const byPlace: Dialect = {
    name: 'by place',
    read: async ({ path, kind }) =>
      kind === 'file' ? { manifest: { ...manifestOf('single'), description: path }, main: basename(path) } : undefined,
  }
  const [found] = (await sourceWith(byPlace, root).list(signal)).packages
  await assert.rejects(Promise.resolve(found?.stage(signal)), { code: 'SOURCE_CHANGED' })
})

test('a package its dialect cannot read is a problem of its own', async (t) => {
  const root = await temporaryDirectory(t)
  await put(join(root, 'plugins'), 'a')
  await write(join(root, 'plugins'), { 'broken/package.json': '{}' })
  const read = async (): Promise<undefined> => {
    throw new Error('no NewProvider')
  }
  const listing = await sourceWith({ name: 'legacy', read }, root).list(signal)
  assert.deepEqual(idsOf(listing), ['acme/a'])
  assert.deepEqual(codesOf(listing), ['SOURCE_DIALECT_FAILED'])
  assert.match(listing.problems[0]?.error.message ?? '', /no NewProvider/)
})

function byText(one: unknown, other: unknown): number {
  return String(one) < String(other) ? -1 : 1
}

function sourceWith(dialect: Dialect, root: string): Source {
  return directory(join(root, 'plugins'), { store: join(root, 'store'), settleMs: 10, dialects: [dialect] })
}
