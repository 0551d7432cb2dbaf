import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { tokenStore } from './token-store.ts'
import { tokenCheck, tokenDigest } from './token.ts'

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tokens-'))
  t.after(() => rm(directory, { recursive: true }))
  return join(directory, 'state', 'tokens.json')
}

test('tokens outlive the process, as digests in a file for its owner alone', async (t) => {
  const path = await temporary(t)
  const store = await tokenStore(path, [])
  const { token, secret } = await store.create({ name: 'ci', scope: 'operate', plugins: ['acme/*'], expiresAtMs: 4e12 })
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.ok(!(await readFile(path, 'utf8')).includes(secret))
  assert.deepEqual(await readdir(join(path, '..')), ['tokens.json'])
  const [read] = (await tokenStore(path, [])).list()
  const { name, scope, plugins, expiresAtMs, createdAtMs } = token
  assert.deepEqual(
    { ...read, revoked: undefined, end: undefined },
    {
      name,
      scope,
      plugins,
      expiresAtMs,
      createdAtMs,
      sha256: Buffer.from(tokenDigest(secret)),
      revoked: undefined,
      end: undefined,
    },
  )
})

test('any of several tokens is found, whether it is the first or the last', async (t) => {
  const store = await tokenStore(await temporary(t), [{ name: 'file', scope: 'admin', sha256: tokenDigest('f'.repeat(43)) }])
  const secrets = [
    (await store.create({ name: 'a', scope: 'read' })).secret,
    (await store.create({ name: 'b', scope: 'read' })).secret,
  ]
  const check = tokenCheck(store, 20)
  const names = ['f'.repeat(43), ...secrets].map((secret) => check(new Headers({ authorization: `Bearer ${secret}` }), '').name)
  assert.deepEqual(names, ['file', 'a', 'b'])
})

test('what is asked for at once is all done, and no two tokens have one name', async (t) => {
  const path = await temporary(t)
  const store = await tokenStore(path, [])
  const names = ['a', 'b', 'c', 'a']
  const results = await Promise.allSettled(names.map((name) => store.create({ name, scope: 'read' })))
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  )
  assert.deepEqual(
    (await tokenStore(path, [])).list().map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  await assert.rejects(store.create({ name: 'b', scope: 'read' }), { code: 'SERVER_TOKEN_EXISTS' })
  await assert.rejects(store.revoke('bb'), { code: 'SERVER_TOKEN_UNKNOWN', message: /did you mean `b`/ })
})

test('there are only so many tokens', async (t) => {
  const path = await temporary(t)
  const store = await tokenStore(path, [])
  const created_at = new Date(0).toISOString()
  const tokens = Array.from({ length: 100 }, (_, index) => ({
    name: `t${index}`,
    sha256: '0'.repeat(64),
    scope: 'read',
    created_at,
  }))
  await store.create({ name: 'x', scope: 'read' })
  await writeFile(path, JSON.stringify({ version: 1, tokens }))
  const full = await tokenStore(path, [])
  await assert.rejects(full.create({ name: 'one-more', scope: 'read' }), { code: 'SERVER_TOKENS_FULL' })
})

test('a file that others can read, or that is not one of tokens, is refused', async (t) => {
  const path = await temporary(t)
  await (await tokenStore(path, [])).create({ name: 'ci', scope: 'read' })
  const good = await readFile(path, 'utf8')
  await chmod(path, 0o644)
  await assert.rejects(tokenStore(path, []), { code: 'SERVER_TOKEN_FILE_EXPOSED' })
  await chmod(path, 0o600)
  for (const bad of [
    '',
    '{',
    '{"version":2,"tokens":[]}',
    good.replace('"read"', '"root"'),
    good.replace('"version": 1', '"version": 1, "version": 1'),
  ]) {
    await writeFile(path, bad)
    await assert.rejects(tokenStore(path, []), { code: 'SERVER_TOKEN_STORE_INVALID' }, bad)
  }
})

test('a token that cannot be written down is not made, and one whose end cannot be goes on', async (t) => {
  const path = await temporary(t)
  const store = await tokenStore(path, [])
  await store.create({ name: 'ci', scope: 'read' })
  await rm(join(path, '..'), { recursive: true })
  await writeFile(join(path, '..'), 'a file in the place of the directory')
  await assert.rejects(store.create({ name: 'two', scope: 'read' }), { code: 'SERVER_TOKEN_FILE_UNUSABLE' })
  await assert.rejects(store.revoke('ci'), { code: 'SERVER_TOKEN_FILE_UNUSABLE' })
  assert.deepEqual(
    store.list().map(({ name }) => name),
    ['ci'],
  )
})
