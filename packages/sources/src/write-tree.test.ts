import assert from 'node:assert/strict'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { removeTree, writeTree } from './write-tree.ts'

test('when a package cannot be written, none of its files is under way any more, so that it can be removed', async (t) => {
  const target = join(await temporaryDirectory(t), 'package')
  const bytes = Buffer.alloc(300_000)
  const files = Array.from({ length: 20 }, (_, at) => ({ path: `${at}.js`, bytes, executable: false }))
  let asked = 0
  const signal = Object.assign(new AbortController().signal, {
    throwIfAborted: () => {
      asked += 1
      if (asked === 3) throw new Error('no more')
    },
  })
  await assert.rejects(writeTree(target, { files, digest: '' }, signal), { message: 'no more' })
  const modes = await Promise.all((await readdir(target)).map(async (name) => (await lstat(join(target, name))).mode & 0o777))
  assert.deepEqual(new Set(modes), new Set([0o444]), 'each is whole')
  await removeTree(target)
})
