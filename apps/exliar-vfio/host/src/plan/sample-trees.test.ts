import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PciDevice } from '@exliar-vfio/points'
import { apply } from '../changes/apply.ts'
import { openChanges } from '../changes/open-changes.ts'
import { standardExecutors } from '../changes/standard-executors.ts'
import { cleanup } from '../changes/undo.ts'
import { isDisplay } from '../devices/device-index.ts'
import { readDevices } from '../devices/read-devices.ts'
import { copySampleTree, sampleTrees } from '../fixtures/sample-tree.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { detectSystem } from '../system/detect-system.ts'
import { bindExecutor } from '../vfio/bind-executor.ts'
import { checkPlan } from './check-plan.ts'
import { makePlan } from './make-plan.ts'
import type { Plan } from './plan.ts'

function planFor(tree: MachineTree, device: PciDevice): Plan {
  const devices = readDevices(tree)
  const strangers = devices.map(({ bdf }) => bdf)
  const selection = { select: [device.bdf], takeAlong: strangers, allowBootScreen: true }
  return makePlan({ tree, system: detectSystem(tree), devices, selection })
}

for (const name of sampleTrees) {
  test(`each card of ${name}: planning changes no byte, and cleanup takes the plan back to the last one`, async (t) => {
    const root = await copySampleTree(t, name)
    const tree = MachineTree.open(root)
    const before = treeSnapshot(root)
    const cards = readDevices(tree).filter((device) => isDisplay(device) && device.virtual_functions.length === 0)
    assert.ok(cards.length > 0)
    for (const card of cards) {
      const plan = planFor(tree, card)
      assert.deepEqual(treeSnapshot(root), before)
      const executors = { ...standardExecutors, 'bind-device': bindExecutor() }
      {
        await using changes = await openChanges({ tree, executors })
        const end = await apply(changes, { title: plan.title, stages: plan.stages, check: () => checkPlan(tree, plan) })
        assert.equal(end.kind, 'applied', end.kind === 'applied' ? '' : end.reason)
      }
      {
        await using changes = await openChanges({ tree, executors })
        const report = await cleanup(changes)
        assert.ok(report.complete, JSON.stringify(report))
      }
      assert.deepEqual(treeSnapshot(root), before, card.bdf)
    }
  })
}

test('of the two identical cards of the sample one is planned alone, by its slot', async (t) => {
  const tree = MachineTree.open(await copySampleTree(t, 'two-identical-nvidia-grub-initramfs-tools'))
  const devices = readDevices(tree)
  const cards = devices.filter((device) => isDisplay(device) && device.vendor_id === '10de')
  const card = cards.find(({ boot_vga }) => !boot_vga) ?? assert.fail()
  const plan = makePlan({ tree, system: detectSystem(tree), devices, selection: { select: [card.slot] } })
  assert.equal(new Set(plan.functions.map(({ device }) => device.slot)).size, 1)
  assert.equal(plan.functions.length, 4)
  assert.doesNotMatch(JSON.stringify(plan.diffs), /ids=/)
})
