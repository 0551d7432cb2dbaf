import assert from 'node:assert/strict'
import { rmSync, symlinkSync } from 'node:fs'
import { test } from 'node:test'
import { SystemInfo } from '@exliar-vfio/points'
import { madeTree } from '../fixtures/materialise.ts'
import { copySampleTree, sampleTrees } from '../fixtures/sample-tree.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { describeMachine, vramSize } from './describe-machine.ts'

for (const name of sampleTrees) {
  test(`describing ${name} tells the whole machine and changes no byte of it`, async (t) => {
    const root = await copySampleTree(t, name)
    const before = treeSnapshot(root)
    const { system, facts, devices, gpus } = describeMachine(MachineTree.open(root))
    assert.deepEqual(treeSnapshot(root), before)
    assert.deepEqual(SystemInfo.parse(system), system)
    assert.deepEqual(system.iommu, facts.iommu.value)
    const addresses = new Set(devices.map(({ bdf }) => bdf))
    for (const { bdf, functions, foreign } of gpus) {
      for (const one of [bdf, ...functions, ...foreign]) assert.ok(addresses.has(one), one)
    }
  })
}

test('a link that leads out of the tree is an error that names it, not an answer', async (t) => {
  const root = await copySampleTree(t, 'popos-kernelstub')
  const tree = MachineTree.open(root)
  rmSync(`${root}/etc/kernelstub/configuration`)
  symlinkSync('../../../../../../etc/passwd', `${root}/etc/kernelstub/configuration`)
  assert.throws(() => describeMachine(tree), { code: 'TREE_ESCAPES', message: /kernelstub\/configuration/ })
})

test('a size of memory that no driver writes is none', async (t) => {
  const root = await madeTree(t, { '/card/mem_info_vram_total': '-5\n', '/other/mem_info_vram_total': '8573157376\n' })
  const sizes = ['/card', '/other'].map((path) => vramSize(MachineTree.open(root), { sysfs_path: path }))
  assert.deepEqual(sizes, [null, 8176])
})
