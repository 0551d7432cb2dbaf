import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { requireProgram } from '@backplane/testing'
import { PackageStore } from '../package-store.ts'
import { removeLeftovers } from '../private-folder.ts'
import { treeDigest } from '../read-tree.ts'
import { stagingGround } from './fixtures/staging-ground.ts'
import { tgzOf } from './fixtures/raw-tar.ts'

const run = promisify(execFile)
const user = [
  process.execPath,
  '--conditions=@backplane/source',
  fileURLToPath(new URL('./fixtures/archive-user.ts', import.meta.url)),
] as const

const archive = tgzOf([
  { name: 'package/plugin.json', body: '{"id":"acme/a"}' },
  { name: 'package/lib/a.js', body: 'a' },
  { name: 'package/b.js', body: Buffer.alloc(100_000, 'abc') },
])

interface Ending {
  readonly outcome: string
  readonly tookKib: number
}

/** Takes the archive in, in a process whose n-th call of a kind meets with something; undefined when it was killed. */
async function takeInWith(inject: string, path: string, parent: string): Promise<Ending | undefined> {
  const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${inject.split(':')[0]}`, '-e', `inject=${inject}`]
  // One thread for all file work, because calls are counted by thread.
  const running = run('strace', [...strace, ...user, path, parent], { env: { UV_THREADPOOL_SIZE: '1' } })
  return running.then(
    ({ stdout }) => JSON.parse(stdout) as Ending,
    () => undefined,
  )
}

for (const call of ['mkdir', 'fchmod', 'fsync']) {
  test(`killed at any ${call} of staging, what it left is removed at the next start`, async (t) => {
    if (!requireProgram(t, 'strace', 'strace')) return
    const { parent, look } = await stagingGround(t)
    const path = join(parent, 'a.tgz')
    await writeFile(path, archive)
    const before = look()
    for (let when = 1; ; when += 1) {
      const ended = await takeInWith(`${call}:signal=SIGKILL:when=${when}`, path, parent)
      if (ended !== undefined) return assert.ok(when > 3, String(when))
      const left = (await readdir(parent)).filter((name) => name !== 'a.tgz')
      assert.ok(left.length <= 1 && left.every((name) => name.startsWith('.staging-')), left.join(' '))
      await removeLeftovers(parent)
      assert.deepEqual(look(), before)
    }
  })

  test(`when any ${call} of staging fails, it says so and leaves nothing`, async (t) => {
    if (!requireProgram(t, 'strace', 'strace')) return
    const { parent, look } = await stagingGround(t)
    const path = join(parent, 'a.tgz')
    await writeFile(path, archive)
    const before = look()
    for (let when = 1; ; when += 1) {
      const ended = await takeInWith(`${call}:error=ENOSPC:when=${when}`, path, parent)
      if (ended?.outcome === 'staged') return assert.ok(when > 3, String(when))
      assert.equal(ended?.outcome, 'ARCHIVE_STAGING_FAILED')
      assert.deepEqual(look(), before)
    }
  })
}

test('the package store removes what was left of an archive staged in its directory', async (t) => {
  if (!requireProgram(t, 'strace', 'strace')) return
  const { parent } = await stagingGround(t)
  const path = join(parent, '..', 'a.tgz')
  await writeFile(path, archive)
  assert.equal(await takeInWith('fsync:signal=SIGKILL:when=1', path, parent), undefined)
  assert.equal((await readdir(parent)).length, 1)
  const files = [{ path: 'index.js', executable: false, bytes: Buffer.from('') }]
  const store = new PackageStore(parent)
  const stored = await store.put(
    { plugin: 'acme/a', facts: null },
    { files, digest: treeDigest(files) },
    new AbortController().signal,
  )
  await stored.release()
  assert.deepEqual(
    (await readdir(parent)).filter((name) => name.startsWith('.staging-')),
    [],
  )
})

test('sixty megabytes of files pass through without being in memory together', async (t) => {
  const { parent } = await stagingGround(t)
  const path = join(parent, '..', 'large.tgz')
  await mkdir(parent, { recursive: true })
  await writeFile(path, tgzOf(['a', 'b', 'c', 'd'].map((name) => ({ name, body: Buffer.alloc(15_000_000, name) }))))
  const [program, ...args] = user
  const { stdout } = await run(program, [...args, path, parent], { env: {} })
  const { outcome, tookKib } = JSON.parse(stdout) as Ending
  assert.equal(outcome, 'staged')
  assert.ok(tookKib < 32 * 1024, `${tookKib} KiB`)
})
