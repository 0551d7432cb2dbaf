import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Call } from '@backplane/sdk'
import { openChanges, type ChangesOptions } from '../changes/open-changes.ts'
import { standardExecutors } from '../changes/standard-executors.ts'
import { cleanup } from '../changes/undo.ts'
import { copySampleTree } from '../fixtures/sample-tree.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { machineServices } from './machine-services.ts'

// The services ask a call for no more than this.
const call = { caller: 'local/booter', signal: new AbortController().signal } as Call

async function machine(t: TestContext): Promise<{ readonly root: string; readonly options: ChangesOptions }> {
  const root = await copySampleTree(t, 'two-identical-nvidia-grub-initramfs-tools')
  return { root, options: { tree: MachineTree.open(root), executors: standardExecutors } }
}

test('changes that plugins ask for at the same time are done one after the other, and taken back together', async (t) => {
  const { root, options } = await machine(t)
  const before = treeSnapshot(root)
  const services = machineServices(options, () => undefined)
  const added = await Promise.all(['one=1', 'two=2'].map((parameter) => services.addParameters([parameter], call)))
  assert.deepEqual(added[1]?.slice(-2), ['one=1', 'two=2'])
  assert.deepEqual((await services.changes(call)).filter(({ kind }) => kind === 'kernel-param-added').length, 2)
  {
    await using changes = await openChanges(options)
    assert.equal((await cleanup(changes)).complete, true)
  }
  assert.deepEqual(treeSnapshot(root), before)
})

test('a change that nobody waits for any more when its turn comes is not made', async (t) => {
  const { options } = await machine(t)
  const services = machineServices(options, () => undefined)
  const leaving = new AbortController()
  const first = services.addParameters(['one=1'], call)
  const second = services.addParameters(['two=2'], { ...call, signal: leaving.signal })
  leaving.abort(new Error('the caller gave up'))
  await assert.rejects(second, /the caller gave up/)
  assert.equal((await first).at(-1), 'one=1')
  assert.deepEqual((await services.parameters(call)).slice(-1), ['one=1'])
})

test('a plugin does not change what is applied, and is told what to do instead; afterwards it may', async (t) => {
  const { root, options } = await machine(t)
  const services = machineServices(options, () => undefined)
  {
    await using _applying = await openChanges(options)
    const before = treeSnapshot(root)
    await assert.rejects(services.addParameters(['one=1'], call), {
      code: 'CHANGE_DURING_APPLY',
      message: /^local\/booter may not change the machine while exliar applies/,
      hint: /propose it for the plan \(applyQuirks of exliar\.gpu-handler\)/,
    })
    assert.deepEqual(treeSnapshot(root), before)
  }
  assert.ok((await services.addParameters(['one=1'], call)).includes('one=1'))
})
