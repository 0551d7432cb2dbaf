import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { madeTree } from '../fixtures/materialise.ts'
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

test('a folder without plugin.toml, and a single module, are not meant', async (t) => {
  const folder = await madeTree(t, { 'index.js': '' })
  assert.equal(await dialect.read({ path: folder, kind: 'folder' }), undefined)
  assert.equal(await dialect.read({ path: join(folder, 'index.js'), kind: 'file' }), undefined)
})
