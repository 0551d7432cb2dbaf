import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { madeTree } from '../fixtures/materialise.ts'
import { tomlKeys } from './toml-manifest.ts'
import { tomlDialect } from './toml-dialect.ts'

const dialect = tomlDialect(new Set())
const toml = 'name = "a"\nversion = "1.0.0"\napi_version = "1.0"\n'

test('a manifest or module that is a pipe, a link or larger than any is not waited for, and named as broken', async (t) => {
  for (const name of ['plugin.toml', 'index.js']) {
    const folder = await madeTree(t, { 'plugin.toml': toml, 'index.js': 'export function createPlugin() {}\n' })
    const read = () => dialect.read({ path: folder, kind: 'folder' })
    assert.equal((await read())?.main, 'index.js')
    const file = join(folder, name)
    truncateSync(file, 3 * 1024 ** 3)
    await assert.rejects(read())
    rmSync(file)
    execFileSync('mkfifo', [file])
    await assert.rejects(read())
    rmSync(file)
    symlinkSync('/etc/passwd', file)
    await assert.rejects(read())
  }
})

test('where the module cannot be read to find the hooks, its mistake is told; with hooks in plugin.toml it need not be', async (t) => {
  const folder = await madeTree(t, { 'plugin.toml': toml, 'index.js': 'export function createPlugin( {}\n' })
  const read = () => dialect.read({ path: folder, kind: 'folder' })
  await assert.rejects(read(), { message: /hooks is missing, and index\.js cannot be read to find them: .+\(\d+:\d+\)/ })
  writeFileSync(join(folder, 'plugin.toml'), `${toml}hooks = ["on_cleanup"]\n`)
  assert.equal((await read())?.main, 'index.js')
})

test('a folder without plugin.toml, and a single module, are not meant', async (t) => {
  const folder = await madeTree(t, { 'index.js': '' })
  assert.equal(await dialect.read({ path: folder, kind: 'folder' }), undefined)
  assert.equal(await dialect.read({ path: join(folder, 'index.js'), kind: 'file' }), undefined)
})

test('the module may have any name, and the guide says what every key means', async (t) => {
  const folder = await madeTree(t, {
    'plugin.toml': `${toml}main = "lib/start.js"\n`,
    'lib/start.js': 'export function createPlugin() {}\n',
  })
  assert.equal((await dialect.read({ path: folder, kind: 'folder' }))?.main, 'lib/start.js')
  assert.ok(dialect.marks?.includes('plugin.toml'), 'or nobody would ask')
  const guide = readFileSync(new URL('../../../../../docs/guide/exliar-plugins.md', import.meta.url), 'utf8')
  for (const key of tomlKeys) assert.match(guide, new RegExp(`^\\|.*\`\\[?${key}\\]?\`.*\\|`, 'm'), key)
})
