import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { madeTree } from '../fixtures/materialise.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { apply } from './apply.ts'
import { openChanges } from './open-changes.ts'
import { standardExecutors } from './standard-executors.ts'
import type { Step } from './step.ts'
import { rollback } from './undo.ts'

function writing(path: string, text: string): Step {
  return {
    kind: 'write-file',
    path,
    content: Buffer.from(text),
    cause: null,
    summary: `write\n${path}`,
    records: 'file-modified',
  }
}

/** A machine on which two runs were applied, and how it was before. */
async function changed(t: TestContext): Promise<{ root: string; before: Readonly<Record<string, string>> }> {
  const root = await madeTree(t, { 'etc/a file': 'a', "etc/it's": 'b', 'boot/grub.cfg': 'old', 'etc/untouched': 'c' })
  utimesSync(join(root, 'etc/a file'), 1_000, 2_000)
  const before = treeSnapshot(root)
  const command: Step = {
    kind: 'run-command',
    program: 'make',
    args: [],
    generates: ['/boot/*'],
    cause: null,
    summary: 'make',
    records: 'command-run',
  }
  const run = (): Promise<{ kind: 'done'; output: string; errors: string }> => {
    writeFileSync(join(root, 'boot/grub.cfg'), 'new')
    return Promise.resolve({ kind: 'done', output: '', errors: '' })
  }
  await using changes = await openChanges({ tree: MachineTree.open(root), executors: standardExecutors, run })
  const steps = [writing('/etc/a file', 'A'), writing("/etc/it's", 'B'), writing('/etc/new/file', 'N'), command]
  await apply(changes, { title: 'first', stages: [{ subject: null, steps }] })
  await apply(changes, { title: 'second', stages: [{ subject: null, steps: [writing('/etc/a file', 'AA')] }] })
  return { root, before }
}

function cleanup(root: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('sh', [join(root, 'var/lib/exliar-vfio/cleanup.sh'), `${root}/`], {
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

test('the script takes everything back from a rescue system, without exliar, and leaves nothing behind', async (t) => {
  const { root, before } = await changed(t)
  assert.deepEqual(cleanup(root), { status: 0, output: 'everything is as it was before exliar\n' })
  assert.deepEqual(treeSnapshot(root), before)
  assert.equal(statSync(join(root, 'etc/a file')).mtimeMs, 2_000_000)
})

test('what was taken back already is no part of the script any more', async (t) => {
  const { root, before } = await changed(t)
  {
    await using changes = await openChanges({ tree: MachineTree.open(root), executors: standardExecutors })
    await rollback(changes)
  }
  writeFileSync(join(root, 'etc/a file'), 'A')
  const script = readFileSync(join(root, 'var/lib/exliar-vfio/cleanup.sh'), 'utf8')
  assert.deepEqual(script.match(/^# \d+:/gm), ['# 3:', '# 2:', '# 1:', '# 4:'])
  assert.equal(cleanup(root).status, 0)
  assert.deepEqual(treeSnapshot(root), before)
})

test('the script keeps and names what somebody else changed, and what has no backup any more', async (t) => {
  const { root, before } = await changed(t)
  writeFileSync(join(root, 'etc/a file'), 'mine')
  for (const name of Object.keys(treeSnapshot(root)).filter((path) => path.includes('/backups/'))) {
    if (before["etc/it's"]?.endsWith(name.slice(-64)) === true) writeFileSync(join(root, name), 'spoiled')
  }
  const { status, output } = cleanup(root)
  assert.equal(status, 1)
  assert.match(output, /kept: \/etc\/a file was changed by somebody else/)
  assert.match(output, /kept: the backup of \/etc\/it's is missing/)
  const after = treeSnapshot(root)
  assert.equal(after['etc/new'], undefined)
  assert.ok(after['var/lib/exliar-vfio/journal.jsonl'])
})
