import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PciDevice, QuirkSetting } from '@exliar-vfio/points'
import { apply, type Gate } from '../changes/apply.ts'
import { openChanges } from '../changes/open-changes.ts'
import { cleanup } from '../changes/undo.ts'
import { bringScript } from '../fixtures/bring-program.ts'
import { madeTree } from '../fixtures/materialise.ts'
import {
  combinations,
  passthroughChanges,
  passthroughDevices,
  passthroughFiles,
  passthroughPlan,
  passthroughSystem,
  type Combination,
} from '../fixtures/passthrough-machine.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { readFunction } from '../vfio/pci-function.ts'
import { checkPlan } from './check-plan.ts'
import { describePlan } from './describe-plan.ts'
import type { PlanRequest } from './make-plan.ts'
import type { Plan, PlanSubject } from './plan.ts'

const usual: Combination = { bootloader: 'grub', initramfs: 'mkinitcpio' }

async function planned(t: TestContext, given: Partial<PlanRequest> = {}): Promise<{ root: string; plan: Plan }> {
  const root = await madeTree(t, passthroughFiles(usual))
  return { root, plan: passthroughPlan(MachineTree.open(root), usual, given) }
}

function stagesOf({ stages }: Plan): readonly string[] {
  return stages.map(({ subject, steps }) => `${subject.kind} ${steps.map(({ kind }) => kind).join(' ')}`.trim())
}

function textOf(plan: Plan, path: string): string {
  return plan.diffs.find((diff) => diff.path === path)?.diff ?? ''
}

test('a plan for one of two identical cards moves that slot’s functions only, and touches nothing', async (t) => {
  const root = await madeTree(t, passthroughFiles(usual))
  const before = treeSnapshot(root)
  const plan = passthroughPlan(MachineTree.open(root), usual)
  assert.deepEqual(treeSnapshot(root), before)
  assert.deepEqual(
    plan.functions.map(({ device }) => device.bdf),
    ['0000:01:00.0', '0000:01:00.1'],
  )
  assert.match(textOf(plan, '/etc/exliar-vfio/override.sh'), /^\+ {2}set_aside 0000:01:00\.0 10de 1b80$/m)
  assert.doesNotMatch(JSON.stringify(plan.diffs), /0000:02:00|ids=/)
})

test('the card with the screen is not taken while somebody looks at it, and the plan says until when', async (t) => {
  const devices = passthroughDevices.map((device) => ({ ...device, boot_vga: device.bdf === '0000:01:00.0' }))
  const { plan } = await planned(t, { devices, selection: { select: ['0000:01:00'], allowBootScreen: true } })
  const bound = plan.stages.flatMap(({ steps }) => steps.flatMap((step) => (step.kind === 'bind-device' ? [step.bdf] : [])))
  assert.deepEqual(bound, ['0000:01:00.1'])
  assert.match(plan.notes.join('\n'), /0000:01:00\.0 shows the screen: it stays with \w+ until the machine starts again/)
  assert.equal(plan.reboot, true)
})

test('what VFIO needs is written first, then functions are bound, then the initial file system, then the bootloader', async (t) => {
  const { plan } = await planned(t)
  assert.deepEqual(stagesOf(plan), [
    'configure write-file write-file write-file',
    'vfio-bind bind-device',
    'vfio-bind bind-device',
    'initramfs-update write-file run-command',
    'bootloader-update write-file run-command',
  ])
  assert.match(
    textOf(plan, '/etc/mkinitcpio.conf'),
    /^-MODULES=\(nvidia\)\n\+MODULES=\(vfio_pci vfio vfio_iommu_type1 nvidia\)$/m,
  )
  assert.match(textOf(plan, '/etc/default/grub'), /^\+GRUB.*"console=tty0 console=ttyS0 quiet intel_iommu=on iommu=pt"$/m)
})

test('Intel gets intel_iommu=on, AMD does not get amd_iommu=on, dracut alone gets rd.driver.pre', async (t) => {
  const line = async (given: Parameters<typeof passthroughSystem>[1]): Promise<string> => {
    const { plan } = await planned(t, { system: passthroughSystem(usual, given), options: { leaveOut: ['initramfs'] } })
    return / quiet (.*)"$/m.exec(textOf(plan, '/etc/default/grub'))?.[1] ?? ''
  }
  assert.equal(await line({ cpu_vendor: 'intel' }), 'intel_iommu=on iommu=pt')
  assert.equal(await line({ cpu_vendor: 'amd' }), 'iommu=pt')
  assert.equal(await line({ cpu_vendor: 'amd', initramfs_system: 'dracut' }), 'iommu=pt rd.driver.pre=vfio-pci')
})

test('what switches AMD’s IOMMU off is taken out, and nothing is put in its place', async (t) => {
  const root = await madeTree(t, passthroughFiles(usual), {
    'etc/default/grub': 'GRUB_CMDLINE_LINUX_DEFAULT="a amd_iommu=off b"\n',
  })
  const plan = passthroughPlan(MachineTree.open(root), usual, { system: passthroughSystem(usual, { cpu_vendor: 'amd' }) })
  assert.match(textOf(plan, '/etc/default/grub'), /^\+.*"a b iommu=pt"$/m)
  assert.match(plan.notes.join(), /started with amd_iommu=off, which gives way/)
})

test('ids on the kernel’s own line would take the identical card too: the plan is refused', async (t) => {
  const root = await madeTree(t, passthroughFiles(usual), { 'etc/default/grub': 'GRUB_CMDLINE_LINUX="vfio-pci.ids=10de:1b80"\n' })
  assert.throws(() => passthroughPlan(MachineTree.open(root), usual), {
    code: 'SELECTION_REFUSED',
    message: /vfio-pci\.ids=10de:1b80/,
  })
})

test('ids on the kernel’s own line count in place of modprobe’s, so that new ones are added to them there', async (t) => {
  const both = { selection: { select: ['0000:01:00', '0000:02:00'] } }
  const root = await madeTree(t, passthroughFiles(usual), {
    'etc/default/grub': 'GRUB_CMDLINE_LINUX="vfio-pci.ids=1002:73bf a"\n',
  })
  const plan = passthroughPlan(MachineTree.open(root), usual, both)
  assert.match(textOf(plan, '/etc/default/grub'), /^\+.*="vfio-pci\.ids=1002:73bf,10de:1b80,10de:10f0 a /m)
  const entries: Combination = { bootloader: 'systemd-boot', initramfs: 'mkinitcpio' }
  const second = { 'boot/loader/entries/vfio.conf': 'linux /vmlinuz\noptions vfio-pci.ids=1002:73bf\n' }
  const differing = MachineTree.open(await madeTree(t, passthroughFiles(entries), second))
  assert.throws(() => passthroughPlan(differing, entries, both), { code: 'SELECTION_REFUSED', message: /in some entries only/ })
})

test('a kernel that vfio-pci is a part of is told the ids itself, and that slots do not last is said', async (t) => {
  const kernel = { 'usr/lib/modules/6.12.1/modules.builtin': 'kernel/drivers/vfio/pci/vfio-pci.ko\n' }
  const tree = MachineTree.open(await madeTree(t, passthroughFiles(usual), kernel))
  const both = passthroughPlan(tree, usual, { selection: { select: ['0000:01:00', '0000:02:00'] } })
  assert.match(textOf(both, '/etc/default/grub'), /^\+.* vfio-pci\.ids=10de:1b80,10de:10f0"/m)
  const one = passthroughPlan(tree, usual)
  assert.doesNotMatch(textOf(one, '/etc/default/grub'), /vfio-pci\.ids/)
  assert.match(one.notes.join('\n'), /part of this kernel.*bind 0000:01:00\.0 again after each start/)
})

test('where Limine checks hashes, its program follows the one that makes the initial file system', async (t) => {
  const limine: Combination = { bootloader: 'limine', initramfs: 'mkinitcpio' }
  const entry = `/Arch\n    protocol: linux\n    module_path: boot():/a.img#${'a'.repeat(128)}\n    cmdline: iommu=pt\n`
  const root = await madeTree(t, passthroughFiles(limine), { 'boot/limine.conf': entry })
  assert.throws(() => passthroughPlan(MachineTree.open(root), limine), {
    code: 'CONFIG_UNCLEAR',
    message: /limine\.conf, line 3/,
  })
  bringScript(root, 'usr/bin/limine-update', 'true')
  const { stages } = passthroughPlan(MachineTree.open(root), limine)
  const commands = stages.flatMap(({ subject, steps }) =>
    subject.kind === 'initramfs-update' ? steps.filter((step) => step.kind === 'run-command') : [],
  )
  assert.deepEqual(
    commands.map(({ program, followers = [] }) => [program, followers.map((follower) => follower.program)]),
    [
      ['mkinitcpio', ['limine-update']],
      ['limine-update', []],
    ],
  )
})

test('a file that somebody edits while plugins are still being asked is not overwritten', async (t) => {
  const { root, plan } = await planned(t)
  await using changes = await openChanges(passthroughChanges(root))
  const gate: Gate<PlanSubject> = (when, subject) => {
    if (when === 'before' && subject.kind === 'bootloader-update') writeFileSync(join(root, 'etc/default/grub'), 'mine\n')
    return Promise.resolve(undefined)
  }
  const end = await apply(changes, { title: '', stages: plan.stages, gate })
  assert.equal(end.kind === 'rolled-back' && Reflect.get(end.error, 'code'), 'PLAN_STALE')
  assert.equal(readFileSync(join(root, 'etc/default/grub'), 'utf8'), 'mine\n')
  assert.ok(end.kind === 'rolled-back' && end.undo.complete)
})

test('what a plugin proposes is a step of its own, with the plugin as its cause', async (t) => {
  const quirk = QuirkSetting.parse({
    name: 'reset\u001b[2J\nof it',
    description: '',
    kernel_parameters: ['iommu=off', 'a.b=1'],
    kernel_modules: ['vendor-reset'],
  })
  const { plan } = await planned(t, { proposals: [{ plugin: 'exliar/amd-reset', hook: 'exliar.gpu-handler', quirk }] })
  const caused = plan.stages.flatMap(({ steps }) => steps).filter(({ cause }) => cause !== null)
  assert.deepEqual(
    caused.map(({ cause, records }) => [cause?.plugin, records]),
    [
      ['exliar/amd-reset', 'module-loaded'],
      ['exliar/amd-reset', 'kernel-param-added'],
    ],
  )
  assert.match(textOf(plan, '/etc/default/grub'), /intel_iommu=on iommu=pt a\.b=1"$/m)
  assert.match(plan.notes.join('\n'), /exliar\/amd-reset proposes iommu=off, which says the opposite/)
  assert.ok(caused.every(({ summary }) => summary.includes('reset [2J of it')))
  assert.match(describePlan(plan), /\[exliar\/amd-reset, exliar\.gpu-handler\]/)
})

test('without an IOMMU nothing is bound now, every function is still asked about, and a restart is needed', async (t) => {
  const iommu = { state: 'off' as const, groups: 0, reason: '' }
  const { plan } = await planned(t, { system: passthroughSystem(usual, { iommu }) })
  assert.equal(plan.reboot, true)
  assert.deepEqual(stagesOf(plan).slice(1, 3), ['vfio-bind', 'vfio-bind'])
})

test('what is bound and configured already is no change', async (t) => {
  const root = await madeTree(t, passthroughFiles(usual))
  const options = passthroughChanges(root)
  await using changes = await openChanges(options)
  await apply(changes, { title: 'first', stages: passthroughPlan(options.tree, usual).stages })
  const driverOf = (bdf: string): string | null => readFunction(options.tree, bdf)?.driver ?? null
  const devices = passthroughDevices.map((device) => PciDevice.parse({ ...device, driver: driverOf(device.bdf) }))
  const again = passthroughPlan(options.tree, usual, { devices })
  assert.deepEqual([again.stages, again.diffs, again.reboot], [[], [], false])
  assert.match(describePlan(again), /Nothing is to be done/)
})

test('a selection that is refused is no plan, and says why', async (t) => {
  await assert.rejects(planned(t, { selection: { select: ['0000:09:00'] } }), {
    code: 'SELECTION_REFUSED',
    message: /there is no device/,
  })
  await assert.rejects(planned(t, { selection: { select: [] } }), { code: 'SELECTION_REFUSED' })
})

test('a plan is refused when a file, a directory or a driver it was made from has changed since', async (t) => {
  const { root, plan } = await planned(t)
  const tree = MachineTree.open(root)
  checkPlan(tree, plan)
  assert.equal(plan.etag, passthroughPlan(tree, usual).etag)
  const changes: readonly [string, RegExp][] = [
    ['etc/default/grub', /\/etc\/default\/grub/],
    ['etc/modprobe.d/new.conf', /\/etc\/modprobe\.d/],
  ]
  for (const [path, named] of changes) {
    writeFileSync(join(root, path), '\n')
    assert.throws(() => checkPlan(tree, plan), { code: 'PLAN_STALE', message: named })
  }
  await using open = await openChanges({ ...passthroughChanges(root) })
  await assert.rejects(apply(open, { title: '', stages: plan.stages, check: () => checkPlan(tree, plan) }), {
    code: 'PLAN_STALE',
  })
  assert.equal(open.journal.records.length, 0)
})

for (const combination of combinations) {
  const { bootloader, initramfs } = combination
  test(`applied and cleaned up, a machine with ${bootloader} and ${initramfs} is what it was, byte for byte`, async (t) => {
    const root = await madeTree(t, passthroughFiles(combination))
    const before = treeSnapshot(root)
    const options = passthroughChanges(root)
    {
      await using changes = await openChanges(options)
      const end = await apply(changes, { title: 'all', stages: passthroughPlan(options.tree, combination).stages })
      assert.equal(end.kind, 'applied')
      assert.equal(readFunction(options.tree, '0000:01:00.0')?.driver, 'vfio-pci')
      assert.equal(readFunction(options.tree, '0000:02:00.0')?.driver, 'nvidia')
    }
    assert.notDeepEqual(treeSnapshot(root), before)
    {
      await using changes = await openChanges(options)
      assert.equal((await cleanup(changes)).complete, true)
    }
    assert.deepEqual(driverless(treeSnapshot(root)), driverless(before))
  })
}

/** How the double writes a link is its own business; where it leads is looked at by name. */
function driverless(snapshot: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(snapshot).map(([path, entry]) => [path, entry.startsWith('link') ? (entry.split('/').at(-1) ?? '') : entry]),
  )
}
