import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { copyDirectory } from './copy-directory.ts'

test('files, folders, modes and links come over; what is neither is left out, and no link is followed', async (t) => {
  const root = await temporaryDirectory(t)
  const [from, to] = [join(root, 'from'), join(root, 'to')]
  await mkdir(join(from, 'deep', 'empty'), { recursive: true })
  await writeFile(join(root, 'secret'), 'not the plugin’s')
  await writeFile(join(from, 'deep', 'run.sh'), 'echo', { mode: 0o755 })
  await writeFile(join(from, 'large'), Buffer.alloc(300_000, 7))
  await symlink(join(root, 'secret'), join(from, 'link'))
  execFileSync('mkfifo', [join(from, 'pipe')])
  await copyDirectory(from, to)
  assert.deepEqual((await readdir(to)).toSorted(), ['deep', 'large', 'link'])
  assert.deepEqual(await readdir(join(to, 'deep', 'empty')), [])
  assert.equal((await stat(join(to, 'deep', 'run.sh'))).mode & 0o777, 0o755)
  assert.deepEqual(await readFile(join(to, 'large')), Buffer.alloc(300_000, 7))
  assert.equal(await readlink(join(to, 'link')), join(root, 'secret'))
})

test('a directory that is a link is not copied from', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'elsewhere'))
  await symlink(join(root, 'elsewhere'), join(root, 'from'))
  await assert.rejects(copyDirectory(join(root, 'from'), join(root, 'to')), { code: /ENOTDIR|ELOOP/ })
})

test('a directory that is not there is an empty one', async (t) => {
  const root = await temporaryDirectory(t)
  await copyDirectory(join(root, 'nothing'), join(root, 'to'))
  assert.deepEqual(await readdir(join(root, 'to')), [])
})
