import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { emptyGroups } from './empty-groups.ts'

test('groups of hosts that are gone are removed where no process is in them, and only when that is said', async (t) => {
  const root = await temporaryDirectory(t)
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const [empty, used, alive] = [`backplane-${dead}-1-1`, `backplane-${dead}-1-2`, `backplane-${process.ppid}-0-1`]
  for (const name of [empty, used, alive, 'system.slice']) await mkdir(join(root, name))
  await writeFile(join(root, used, 'cgroup.procs'), `${process.pid}\n`)
  assert.deepEqual(
    (await emptyGroups(false, [root])).filter((path) => !path.endsWith(alive)),
    [join(root, empty)],
  )
  assert.equal((await readdir(root)).length, 4)
  await emptyGroups(true, [root])
  assert.deepEqual((await readdir(root)).includes(empty), false)
  assert.deepEqual((await readdir(root)).includes(used), true)
  assert.deepEqual(await emptyGroups(true, [join(root, 'nowhere')]), [])
})
