import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { pinPath } from './pinned-path.ts'

async function sample(t: TestContext): Promise<string> {
  const root = await temporaryDirectory(t)
  for (const directory of ['tree/etc/default', 'outside/default']) {
    mkdirSync(join(root, directory), { recursive: true })
    writeFileSync(join(root, directory, 'grub'), directory)
  }
  return root
}

test('a directory that became a link by now, or is below one, is refused', async (t) => {
  const root = await sample(t)
  symlinkSync('../outside', join(root, 'tree/other'))
  symlinkSync('../../outside/default', join(root, 'tree/etc/link'))
  for (const path of ['tree/other/default/grub', 'tree/etc/link/grub']) assert.throws(() => pinPath(join(root, path)))
})

test('what is put in place of the directory afterwards is not what is reached', async (t) => {
  const root = await sample(t)
  using pinned = pinPath(join(root, 'tree/etc/default/grub'))
  renameSync(join(root, 'tree/etc'), join(root, 'tree/moved'))
  symlinkSync('../outside', join(root, 'tree/etc'))
  assert.equal(readFileSync(pinned.path, 'utf8'), 'tree/etc/default')
})
