import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { storeContract, temporaryDirectory } from '@backplane/testing'
import { sqliteStore } from './sqlite-store.ts'

storeContract('sqliteStore() in a file', async (t) => sqliteStore(join(await temporaryDirectory(t), 'store.db')))
storeContract('sqliteStore() in memory', async () => sqliteStore(':memory:'))

test('what was written is there when the file is opened again', async (t) => {
  const path = join(await temporaryDirectory(t), 'data', 'store.db')
  {
    await using store = sqliteStore(path)
    await store.set('ns', 'key', 'value', 100)
  }
  await using again = sqliteStore(path)
  assert.equal(await again.get('ns', 'key'), 'value')
  await assert.rejects(again.set('ns', 'other', 'x'.repeat(90), 100), { code: 'STATE_QUOTA_EXCEEDED' })
})

test('writes not yet awaited are read, and are on the disk after disposing', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  const store = sqliteStore(path)
  const writes = [store.set('ns', 'a', '1'), store.set('ns', 'a', '2'), store.delete('ns', 'b')]
  assert.equal(await store.get('ns', 'a'), '2')
  writes.push(store.set('ns', 'a', '3'))
  await store[Symbol.asyncDispose]()
  await Promise.all(writes)
  await using again = sqliteStore(path)
  assert.equal(await again.get('ns', 'a'), '3')
})

test('the database and what lies beside it belong to the host alone', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  await using store = sqliteStore(path)
  await store.set('ns', 'key', 'value')
  for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file)
})

test('every acknowledged write survives kill -9', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  const script = `
    import { sqliteStore } from ${JSON.stringify(import.meta.resolve('./index.ts'))}
    const store = sqliteStore(${JSON.stringify(path)})
    for (let at = 0; ; at += 1) {
      await store.set('ns', String(at), 'x'.repeat(at % 5000))
      process.stdout.write(at + '\\n')
    }`
  const args = ['--conditions=@backplane/source', '--input-type=module', '--eval', script]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let last = -1
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    if (last === 300) child.kill('SIGKILL')
  }
  await exited
  assert.equal(child.signalCode, 'SIGKILL')
  assert.ok(last >= 300)
  await using store = sqliteStore(path)
  for (let at = 0; at <= last; at += 1) assert.equal((await store.get('ns', String(at)))?.length, at % 5000)
})

test('a file that is no database is refused with its path and left as it was', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  await writeFile(path, 'not a database, but long enough to look like one'.repeat(100))
  const before = await readFile(path)
  assert.throws(() => sqliteStore(path), { code: 'STORE_CORRUPT', message: new RegExp(path) })
  assert.deepEqual(await readFile(path), before)
})

test('a damaged page is reported when it is read', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  {
    await using store = sqliteStore(path)
    const keys = Array.from({ length: 2_000 }, (_, at) => store.set('ns', `key-${at}`, 'x'.repeat(100)))
    await Promise.all(keys)
  }
  const file = await open(path, 'r+')
  const { size } = await file.stat()
  for (let at = 8 * 4096; at < size; at += 4096) await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, at)
  await file.close()
  await using store = sqliteStore(path)
  await assert.rejects(store.keys('ns', ''), { code: 'STORE_CORRUPT' })
})

test('a path that cannot be a database is refused', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  await mkdir(path)
  assert.throws(() => sqliteStore(path), { code: 'STORE_UNUSABLE' })
})

test('a file of a later format is refused', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 7')
  database.close()
  assert.throws(() => sqliteStore(path), { code: 'STORE_TOO_NEW', message: /format 7/ })
})

test('another process that holds the lock makes a write fail after the busy timeout', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  await using store = sqliteStore(path, { busyTimeoutMs: 1 })
  const other = new DatabaseSync(path)
  t.after(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(store.set('ns', 'key', 'value'), { code: 'STORE_BUSY', retryable: true })
  other.exec('ROLLBACK')
  await store.set('ns', 'key', 'value')
  assert.equal(await store.get('ns', 'key'), 'value')
})

test('a store beyond its size refuses to grow and keeps what it has', async (t) => {
  const path = join(await temporaryDirectory(t), 'store.db')
  await using store = sqliteStore(path, { maxBytes: 64 * 1024 })
  await store.set('ns', 'small', 'value')
  await assert.rejects(store.set('ns', 'large', 'x'.repeat(100_000)), { code: 'STORE_FULL' })
  assert.deepEqual(await store.keys('ns', ''), ['small'])
})

test('a disposed store refuses everything', async () => {
  const store = sqliteStore(':memory:')
  await store[Symbol.asyncDispose]()
  await assert.rejects(store.get('ns', 'key'), { code: 'STORE_CLOSED' })
  await assert.rejects(store.set('ns', 'key', 'value'), { code: 'STORE_CLOSED' })
})
