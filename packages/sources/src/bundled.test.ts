import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { definePlugin } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { bundled } from './bundled.ts'

const { signal } = new AbortController()

test('a module in memory is listed and staged as the module itself', async () => {
  const manifest = { schemaVersion: 1, id: 'acme/inline', version: '1.0.0', requires: { api: '^1' } }
  const module = definePlugin(() => {})
  const source = bundled([{ manifest, module }])
  assert.deepEqual([source.name, source.origin, source.watch], ['bundled', 'bundled', undefined])
  const { packages, problems } = await source.list(signal)
  assert.deepEqual(problems, [])
  assert.equal(packages[0]?.manifest, manifest)
  const staged = await packages[0].stage(signal)
  assert.match(staged.digest, /^sha256:[0-9a-f]{64}$/)
  assert.ok(staged.code.kind === 'module')
  assert.equal(staged.code.module, module)
})

test('items keep the order in which they were given', async (t) => {
  const home = await temporaryDirectory(t)
  const manifest = { schemaVersion: 1, id: 'acme/z', version: '1.0.0', requires: { api: '^1' } }
  await mkdir(join(home, 'a'))
  await writeFile(join(home, 'a', 'plugin.json'), '{"id":"acme/a"}')
  const items = [{ manifest, module: definePlugin(() => {}) }, { directory: join(home, 'a') }]
  const { packages } = await bundled(items, { store: join(home, 'store') }).list(signal)
  assert.deepEqual(
    packages.map((found) => Reflect.get(Object(found.manifest), 'id') as unknown),
    ['acme/z', 'acme/a'],
  )
})

test('a TypeScript package is staged as it is, without what is ignored', async (t) => {
  const home = await temporaryDirectory(t)
  await mkdir(join(home, 'a', 'src'), { recursive: true })
  await writeFile(join(home, 'a', 'plugin.json'), '{"id":"acme/a","main":"./src/index.ts"}')
  await writeFile(join(home, 'a', 'src', 'index.ts'), 'export const answer: number = 42')
  await writeFile(join(home, 'a', 'src', 'index.test.ts'), 'throw new Error()')
  const source = bundled([{ directory: join(home, 'a') }], { store: join(home, 'store'), ignore: ['**/*.test.ts'] })
  const staged = await (await source.list(signal)).packages[0]?.stage(signal)
  assert.ok(staged?.code.kind === 'files')
  assert.equal(staged.code.main, 'src/index.ts')
  const namespace = (await import(join(staged.code.directory, staged.code.main))) as { readonly answer: number }
  assert.equal(namespace.answer, 42)
  await assert.rejects(import(join(staged.code.directory, 'src/index.test.ts')), { code: 'ERR_MODULE_NOT_FOUND' })
})

test('a folder that is not there is a problem', async (t) => {
  const home = await temporaryDirectory(t)
  const source = bundled([{ directory: join(home, 'gone') }], { store: join(home, 'store') })
  const { packages, problems } = await source.list(signal)
  assert.deepEqual(packages, [])
  assert.deepEqual(
    problems.map(({ error }) => error.code),
    ['SOURCE_UNREADABLE'],
  )
})

test('a folder without a store to load it from is refused at once', () => {
  assert.throws(() => bundled([{ directory: 'plugins/a' }]), { code: 'SOURCE_STORE_MISSING' })
})
