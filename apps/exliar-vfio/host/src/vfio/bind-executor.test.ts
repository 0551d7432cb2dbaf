import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { apply } from '../changes/apply.ts'
import { openChanges, type Changes } from '../changes/open-changes.ts'
import { standardExecutors } from '../changes/standard-executors.ts'
import type { BindDeviceStep } from '../changes/step.ts'
import { cleanup } from '../changes/undo.ts'
import { readDevices } from '../devices/read-devices.ts'
import { treeWithKernel, type KernelDouble } from '../fixtures/kernel-double.ts'
import { madeTree } from '../fixtures/materialise.ts'
import { pciFunctions } from '../fixtures/pci-function.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { bindExecutor } from './bind-executor.ts'
import { readFunction } from './pci-function.ts'

const bdf = '0000:01:00.0'
const step: BindDeviceStep = {
  kind: 'bind-device',
  bdf,
  driver: 'vfio-pci',
  cause: null,
  summary: 'bind it',
  records: 'driver-bound',
}
const natural = { [bdf]: 'nvidia' }

async function card(t: TestContext, driver?: string): Promise<string> {
  const sample = { bdf, id: '10de:1b80', class: '030000', group: 1, ...(driver === undefined ? {} : { driver }) }
  return madeTree(t, pciFunctions([sample]), { 'sys/bus/pci/drivers/vfio-pci/module': '', 'sys/bus/pci/drivers_probe': '' })
}

function changesOf(tree: MachineTree, isLive = true): Promise<Changes> {
  return openChanges({ tree, executors: { ...standardExecutors, 'bind-device': bindExecutor({ isLive }) } })
}

async function bound(
  t: TestContext,
  kernel: KernelDouble,
  driver?: string,
): Promise<{ tree: MachineTree; code: unknown; end: string }> {
  const root = await card(t, driver)
  const tree = treeWithKernel(root, kernel)
  await using changes = await changesOf(tree)
  const end = await apply(changes, { title: 'bind', stages: [{ subject: null, steps: [step] }] })
  const code: unknown = end.kind === 'applied' ? undefined : Reflect.get(end.error, 'code')
  return { tree, code, end: end.kind === 'applied' ? 'applied' : end.reason }
}

test('a function goes from its driver to VFIO and back, and is looked at each time', async (t) => {
  const { tree, end } = await bound(t, { natural }, 'nvidia')
  assert.equal(end, 'applied')
  assert.deepEqual(readFunction(tree, bdf), { driver: 'vfio-pci', override: 'vfio-pci' })
  await using changes = await changesOf(tree)
  assert.equal((await cleanup(changes)).complete, true)
  assert.deepEqual(readFunction(tree, bdf), { driver: 'nvidia', override: null })
})

test('a function that nobody drove is nobody’s again', async (t) => {
  const { tree } = await bound(t, { natural })
  await using changes = await changesOf(tree)
  await cleanup(changes)
  assert.deepEqual(readFunction(tree, bdf), { driver: null, override: null })
})

test('a bind that fails clears the override and gives the old driver back', async (t) => {
  const { tree, end, code } = await bound(t, { natural, refusing: ['vfio-pci'] }, 'nvidia')
  assert.equal(code, 'BIND_FAILED')
  assert.match(end, /0000:01:00\.0 could not be given to vfio-pci: .*did not take it/)
  assert.deepEqual(readFunction(tree, bdf), { driver: 'nvidia', override: null })
})

test('when the old driver does not come back either, that is said', async (t) => {
  const { tree, end } = await bound(t, { natural, refusing: ['vfio-pci', 'nvidia'] }, 'nvidia')
  assert.match(end, /did not take it; and nvidia did not take it/)
  assert.equal(readFunction(tree, bdf)?.driver, null)
})

test('a function that somebody gave to another driver meanwhile is left there and named', async (t) => {
  const { tree } = await bound(t, { natural }, 'nvidia')
  await tree.writeAttribute(`/sys/bus/pci/devices/${bdf}/driver_override`, 'pci-stub')
  await using changes = await changesOf(tree)
  const report = await cleanup(changes)
  assert.equal(report.complete, false)
  assert.match(JSON.stringify(report.changes), /given to pci-stub by somebody else/)
  assert.equal(readFunction(tree, bdf)?.override, 'pci-stub')
})

test('in a copied tree only the override is written, with a note, and comes back to the byte', async (t) => {
  const root = await card(t, 'nvidia')
  const before = treeSnapshot(root)
  const tree = MachineTree.open(root)
  {
    await using changes = await changesOf(tree, false)
    const end = await apply(changes, { title: 'bind', stages: [{ subject: null, steps: [step] }] })
    assert.match(end.kind === 'applied' ? (end.notes[0] ?? '') : end.reason, /No kernel stands behind this tree/)
  }
  assert.deepEqual(readFunction(tree, bdf), { driver: 'nvidia', override: 'vfio-pci' })
  await using changes = await changesOf(tree, false)
  await cleanup(changes)
  await changes[Symbol.asyncDispose]()
  assert.deepEqual(treeSnapshot(root), before)
})

test('a driver that does not let go is named with the device and what to do; nothing waits for it, and nothing asks again', async (t) => {
  const root = await card(t, 'nvidia')
  // Whoever opens a pipe to write waits for a reader, as for a driver whose card is in use.
  const unbind = join(root, 'sys/bus/pci/drivers/nvidia/unbind')
  rmSync(unbind)
  execFileSync('mkfifo', [unbind])
  const tree = MachineTree.open(root)
  const executors = { ...standardExecutors, 'bind-device': bindExecutor({ isLive: true, deadlineMs: 300 }) }
  await using changes = await openChanges({ tree, executors })
  const bind = (): ReturnType<typeof apply> => apply(changes, { title: 'bind', stages: [{ subject: null, steps: [step] }] })
  const end = await bind()
  assert.ok(end.kind === 'rolled-back')
  assert.equal(Reflect.get(end.error, 'code'), 'BIND_BLOCKED')
  assert.match(
    end.reason,
    /^0000:01:00\.0: nvidia has not let go of it for 0\.3 s, .*cannot be taken back: end what uses the device/,
  )
  assert.equal(end.undo.complete, false)
  assert.match(JSON.stringify(end.undo.changes), /kept.*has not done yet what it was told/)
  assert.equal(tree.isHeldOff(`/sys/bus/pci/devices/${bdf}`), true)
  // What the kernel would not answer now is not read; the rest is.
  assert.deepEqual(
    readDevices(tree).map((device) => [device.bdf, device.driver, device.driver_override]),
    [[bdf, 'nvidia', null]],
  )
  const again = await bind()
  assert.equal(again.kind === 'rolled-back' && Reflect.get(again.error, 'code'), 'BIND_REFUSED')
})

test('who takes back what a driver holds in another process waits no longer either, and keeps it', async (t) => {
  const root = await card(t, 'nvidia')
  const executors = { ...standardExecutors, 'bind-device': bindExecutor({ isLive: true, deadlineMs: 300 }) }
  {
    await using changes = await openChanges({ tree: treeWithKernel(root, { natural }), executors })
    await apply(changes, { title: 'bind', stages: [{ subject: null, steps: [step] }] })
  }
  const override = join(root, 'sys/bus/pci/devices', bdf, 'driver_override')
  rmSync(override)
  execFileSync('mkfifo', [override])
  await using changes = await openChanges({ tree: MachineTree.open(root), executors })
  const report = await cleanup(changes)
  assert.equal(report.complete, false)
  assert.match(JSON.stringify(report.changes), /0000:01:00\.0: the kernel has not done yet what it was told/)
})

test('the cleanup script leaves a function alone that somebody else gave to another driver since', async (t) => {
  const root = await card(t, 'vfio-pci')
  const entry = { change: 1, step, before: { driver: 'nvidia', override: null, attribute: null } }
  const lines = bindExecutor().script(entry).join('\n').replaceAll('/sys/', `${root}/sys/`)
  const override = join(root, 'sys/bus/pci/devices', bdf, 'driver_override')
  const run = (): string => execFileSync('sh', ['-c', `root=; say_kept() { echo "kept: $1"; }\n${lines}`], { encoding: 'utf8' })
  writeFileSync(override, 'other\n')
  assert.equal(run(), `kept: ${bdf}, which somebody else gave to other\n`)
  assert.equal(readFileSync(override, 'utf8'), 'other\n')
  for (const known of ['vfio-pci\n', '(null)\n']) {
    writeFileSync(override, known)
    assert.equal(run(), '')
    assert.equal(readFileSync(override, 'utf8'), '\n')
  }
})

test('a function that is not there is refused', async (t) => {
  const tree = MachineTree.open(await madeTree(t, { 'etc/': '' }))
  await using changes = await changesOf(tree)
  const end = await apply(changes, { title: 'bind', stages: [{ subject: null, steps: [step] }] })
  assert.match(end.kind === 'rolled-back' ? end.reason : '', /is not bound: it is not there/)
  assert.equal(end.kind === 'rolled-back' && Reflect.get(end.error, 'code'), 'BIND_REFUSED')
})
