import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { lockText, readLock, writeLock, type LockFile } from './lock-file.ts'
import { oneAtATime } from './one-at-a-time.ts'

const { signal } = new AbortController()
const digest = `sha256:${'0'.repeat(64)}`
const lock: LockFile = {
  lockVersion: 1,
  plugins: {
    'acme/s3': {
      version: '1.2.3',
      requested: './s3',
      artifacts: { any: { place: { kind: 'directory', path: '/srv/s3', digest }, digest } },
      permissions: ['exec rclone'],
      dependencies: {},
    },
  },
}

test('a lock is read as it was written, and equal locks have equal texts', async (t) => {
  const path = join(await temporaryDirectory(t), 'backplane.lock')
  const { etag, lock: empty } = await readLock(path)
  assert.deepEqual(empty.plugins, {})
  const written = await writeLock(path, lock, etag)
  assert.deepEqual(await readLock(path), { lock, etag: written })
  const turned = Object.fromEntries(Object.entries(lock).toReversed()) as unknown as LockFile
  assert.equal(lockText(turned), await readFile(path, 'utf8'))
})

test('a lock that somebody else changed is not written over', async (t) => {
  const path = join(await temporaryDirectory(t), 'backplane.lock')
  const { etag } = await readLock(path)
  await writeLock(path, lock, etag)
  await assert.rejects(writeLock(path, { lockVersion: 1, plugins: {} }, etag), { code: 'LOCK_CHANGED' })
  assert.deepEqual((await readLock(path)).lock, lock)
})

const text = lockText(lock)
const wrong = [
  ['no JSON', '{', /:1:2: /, 'LOCK_INVALID'],
  ['a key twice', text.replace('"version"', '"requested": "x", "version"'), /appears twice/, 'LOCK_INVALID'],
  ['a newer format', text.replace('"lockVersion": 1', '"lockVersion": 2'), /format 2; this version knows 1/, 'LOCK_TOO_NEW'],
  ['an id that is none', text.replace('acme/s3', '../s3'), /"\.\.\/s3" is no plugin id/, 'LOCK_INVALID'],
  ['no digest', text.replaceAll(digest, 'sha256:12'), /:\d+:\d+: digest must be sha256: and 64 digits/, 'LOCK_INVALID'],
  [
    'another digest of the archive that is none',
    text.replace('"digest"', '"archiveSha512": "sha512:12", "digest"'),
    /archiveSha512 must be sha512: and 128 digits/,
    'LOCK_INVALID',
  ],
  ['an unknown place', text.replace('"kind": "directory"', '"kind": "ftp"'), /kind must be one of npm, git/, 'LOCK_INVALID'],
  ['a place without its path', text.replace('"path"', '"pfad"'), /path must be a string/, 'LOCK_INVALID'],
  [
    'permissions that are no list',
    text.replace(/"permissions": \[[^\]]*\]/, '"permissions": "all"'),
    /must be a list of strings/,
    'LOCK_INVALID',
  ],
  [
    'withheld that is no list',
    text.replace('"permissions":', '"withheld": [7], "permissions":'),
    /withheld must be a list of strings/,
    'LOCK_INVALID',
  ],
  ['no artifacts', text.replace('"any"', '"any": 1, "x"'), /an artifact must be an object/, 'LOCK_INVALID'],
] as const

for (const [what, content, message, code] of wrong) {
  test(`a lock with ${what} is refused, with the place`, async (t) => {
    const path = join(await temporaryDirectory(t), 'backplane.lock')
    await writeFile(path, content)
    await assert.rejects(readLock(path), { code, message })
  })
}

test('a lock that cannot be written is told with its reason', async (t) => {
  // its name leaves no room for that of what is written beside it
  const path = join(await temporaryDirectory(t), 'l'.repeat(250))
  const { etag } = await readLock(path)
  await assert.rejects(writeLock(path, lock, etag), { code: 'LOCK_FAILED', message: /cannot be written: ENAMETOOLONG/ })
})

test('a lock beyond the limit is refused before it is parsed, and so is one that is no text', async (t) => {
  const path = join(await temporaryDirectory(t), 'backplane.lock')
  await writeFile(path, text)
  await assert.rejects(readLock(path, 100), { code: 'LOCK_INVALID', message: /more than 100 bytes/ })
  await writeFile(path, Buffer.from([0x7b, 0xff, 0x7d]))
  await assert.rejects(readLock(path), { code: 'LOCK_INVALID', message: /not UTF-8/ })
})

test('who cannot take his turn because of what lies in the way is told so', async (t) => {
  const path = join(await temporaryDirectory(t), 'backplane.lock')
  await mkdir(`${path}.mutex`)
  await assert.rejects(
    oneAtATime(path, async () => undefined, signal),
    { code: 'LOCK_FAILED', message: /backplane\.lock\.mutex/ },
  )
})

test('nobody else may hold the place where turns are taken: to read it would be enough', async (t) => {
  const path = join(await temporaryDirectory(t), 'backplane.lock')
  const umask = process.umask(0o022)
  t.after(() => process.umask(umask))
  await oneAtATime(path, async () => undefined, signal)
  assert.equal((await stat(`${path}.mutex`)).mode & 0o777, 0o600)
})

test('what a kill left of a lock being written is removed by the next one', async (t) => {
  const root = await temporaryDirectory(t)
  const path = join(root, 'backplane.lock')
  const child = spawn(process.execPath, ['-e', '0'])
  await once(child, 'exit')
  await writeFile(`${path}.staging-${child.pid}-${'a'.repeat(16)}`, 'half a lo')
  await writeLock(path, lock, (await readLock(path)).etag)
  assert.deepEqual(await readdir(root), ['backplane.lock'])
})

test('one process at a time works on a lock, and a killed one lets go of it', async (t) => {
  const path = join(await temporaryDirectory(t), 'backplane.lock')
  const script = fileURLToPath(new URL('../fixtures/lock-holder.ts', import.meta.url))
  const holder = spawn(process.execPath, [...process.execArgv, '--conditions=@backplane/source', script, path])
  t.after(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  await assert.rejects(
    oneAtATime(path, async () => undefined, signal, 0),
    { code: 'LOCK_BUSY' },
  )
  holder.kill('SIGKILL')
  assert.equal(await oneAtATime(path, async () => 'mine', signal, 30_000), 'mine')
})
