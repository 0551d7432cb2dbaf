import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { tokenDigest } from './token.ts'
import { tokenFile } from './token-file.ts'

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'token-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

test('a token file is made once, of 256 random bits, for its owner alone', async (t) => {
  const path = join(await temporary(t), 'state', 'token')
  const first = await tokenFile(path)
  const text = (await readFile(path, 'utf8')).trim()
  assert.equal(first.created, true)
  assert.equal(Buffer.from(text, 'base64url').length, 32)
  assert.deepEqual(first.sha256, tokenDigest(text))
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o700)
  assert.ok(!JSON.stringify(first).includes(text))
  const again = await tokenFile(path)
  assert.deepEqual([again.created, again.sha256], [false, first.sha256])
})

test('of several that start at once one makes the token and all have the same', async (t) => {
  const directory = await temporary(t)
  const all = await Promise.all(Array.from({ length: 8 }, () => tokenFile(join(directory, 'token'))))
  assert.equal(all.filter((one) => one.created).length, 1)
  assert.equal(new Set(all.map((one) => Buffer.from(one.sha256).toString('hex'))).size, 1)
  assert.deepEqual(await readdir(directory), ['token'])
})

test('a token file that others can read or that holds no token is refused', async (t) => {
  const path = join(await temporary(t), 'token')
  await tokenFile(path)
  await chmod(path, 0o640)
  await assert.rejects(tokenFile(path), { code: 'SERVER_TOKEN_FILE_EXPOSED' })
  await writeFile(path, 'short\n')
  await chmod(path, 0o600)
  await assert.rejects(tokenFile(path), { code: 'SERVER_TOKEN_FILE_INVALID' })
  await assert.rejects(tokenFile(join(path, 'token')), { code: 'SERVER_TOKEN_FILE_UNUSABLE' })
})
