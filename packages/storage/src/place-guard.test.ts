import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { sqliteStore } from './sqlite-store.ts'

test('a store whose file was moved away or replaced refuses to write, and goes on once it is back', async (t) => {
  const directory = await temporaryDirectory(t)
  const file = join(directory, 'store.sqlite')
  const aside = join(directory, 'aside')
  await using store = sqliteStore(file)
  await store.set('a', 'key', 'one')
  await rename(file, aside)
  await assert.rejects(store.set('a', 'key', 'two'), { code: 'STORE_GONE', message: /was removed/ })
  assert.equal(await store.get('a', 'key'), 'one')
  await writeFile(file, '')
  await assert.rejects(store.set('a', 'key', 'two'), { code: 'STORE_GONE', message: /was replaced/ })
  await rename(aside, file)
  await store.set('a', 'key', 'three')
  assert.equal(await store.get('a', 'key'), 'three')
})
