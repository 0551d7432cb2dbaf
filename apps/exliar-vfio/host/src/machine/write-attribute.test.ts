import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { processStarted } from '@backplane/storage'
import { temporaryDirectory } from '@backplane/testing'
import { MachineTree } from './machine-tree.ts'

test('what the kernel is told is written in place, and its refusal has its name', async (t) => {
  const root = await temporaryDirectory(t)
  const tree = MachineTree.open(root)
  await writeFile(join(root, 'unbind'), 'before and longer')
  await tree.writeAttribute('/unbind', '0000:01:00.0')
  assert.equal(await readFile(join(root, 'unbind'), 'utf8'), '0000:01:00.0')
  const refused = { code: 'TREE_UNWRITABLE', details: { reason: 'ENOENT' } }
  await assert.rejects(tree.writeAttribute('/bind', 'x'), refused)
  await symlink('unbind', join(root, 'link'))
  await tree.writeAttribute('/link', 'x')
  assert.equal(await readFile(join(root, 'unbind'), 'utf8'), 'x', 'links are followed inside the tree')
})

test('what is told the kernel goes on when somebody at the terminal breaks the program off', async (t) => {
  const root = await temporaryDirectory(t)
  execFileSync('mkfifo', [join(root, 'bind')])
  const written = MachineTree.open(root).writeAttribute('/bind', 'x')
  const children = `/proc/self/task/${process.pid}/children`
  let child = ''
  while (child === '') {
    await new Promise((resolve) => setImmediate(resolve))
    child = (await readFile(children, 'utf8')).trim().split(' ').at(-1) ?? ''
  }
  const stat = await readFile(`/proc/${child}/stat`, 'utf8')
  const [, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  assert.equal(group, child, 'the terminal signals a group, and this one has its own')
  assert.equal(await readFile(join(root, 'bind'), 'utf8'), 'x')
  await written
})

test('a write that the kernel does not answer ends with its deadline, and says which process waits', async (t) => {
  const root = await temporaryDirectory(t)
  // Whoever opens a pipe to write waits for a reader.
  execFileSync('mkfifo', [join(root, 'unbind')])
  const error = await MachineTree.open(root)
    .writeAttribute('/unbind', '0000:01:00.0', 200)
    .then(
      () => assert.fail(),
      (thrown: unknown) => thrown as Error,
    )
  assert.equal(Reflect.get(error, 'code'), 'ATTRIBUTE_BLOCKED')
  const [, pid = ''] =
    /the kernel has not answered for 0\.2 s .*\/unbind.*process (\d+)/.exec(error.message) ?? assert.fail(error.message)
  while (processStarted(Number(pid)) !== undefined) await new Promise((resolve) => setImmediate(resolve))
})
