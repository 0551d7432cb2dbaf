import assert from 'node:assert/strict'
import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { removeDirectory } from './remove-directory.ts'

test('a directory is removed however deep a plugin nested what is in it, and nothing that a link leads to', async (t) => {
  const root = await temporaryDirectory(t)
  const deep = Array.from({ length: 15 }, () => 'd'.repeat(200)).join('/')
  await mkdir(join(root, 'kept'))
  await writeFile(join(root, 'kept/file'), '')
  for (const half of ['one', 'two']) await mkdir(join(root, 'data', half, deep), { recursive: true })
  await symlink(join(root, 'kept'), join(root, 'data/one', deep, 'link'))
  await rename(join(root, 'data/one'), join(root, 'data/two', deep, 'moved'))
  await removeDirectory(join(root, 'data'))
  assert.deepEqual(await readdir(root), ['kept'])
  assert.deepEqual(await readdir(join(root, 'kept')), ['file'])
})

test('a directory that is not there is removed already', async (t) => {
  await removeDirectory(join(await temporaryDirectory(t), 'nothing'))
})
