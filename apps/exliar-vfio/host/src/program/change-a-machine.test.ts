import assert from 'node:assert/strict'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Journal } from '../changes/journal.ts'
import { bringScript, bringShell } from '../fixtures/bring-program.ts'
import { development, operator } from '../fixtures/operator.ts'
import { sampleTrees } from '../fixtures/sample-tree.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'

const nvidia = 'two-identical-nvidia-grub-initramfs-tools'
const card = '65:00'

/** No plugin but the program itself: for what has nothing to do with them. */
const alone = '[plugins]\ndeny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\nenabled = false\n'

test('the report tells every card with group, siblings, driver, verdict and why', async (t) => {
  const { exliar } = await operator(t, nvidia)
  const { code, out, err } = await exliar(['report'])
  assert.deepEqual([code, err], [0, ''])
  for (const line of [
    /^0000:17:00\.0 GeForce RTX 2070 SUPER {2}risky$/m,
    /^0000:65:00\.0 GeForce RTX 2070 SUPER {2}needs-changes$/m,
    /^group +41$/m,
    /^with +0000:65:00\.1 Audio device, driver snd_hda_intel, group 41$/m,
    /^why +It is the boot GPU/m,
    /^bootloader +grub {2}\(\/proc\/cmdline\)$/m,
  ]) {
    assert.match(out, line)
  }
  assert.doesNotMatch(out, /^ADDRESS/m)
  assert.match((await exliar(['report', '--devices'])).out, /^0000:65:00\.3 +10de:1ad9 +41 +nvidia-gpu/m)
  const told = (await exliar(['report', '--json'])).json()
  assert.deepEqual(
    told.gpus.map(({ bdf, assessment }: { bdf: string; assessment: { verdict: string } }) => [bdf, assessment.verdict]),
    [
      ['0000:17:00.0', 'risky'],
      ['0000:65:00.0', 'needs-changes'],
    ],
  )
  assert.equal(told.evidence.initramfs_system, '/usr/sbin/update-initramfs')
})

test('the samples’ five-digit domain, virtual functions, split and foreign groups and bound cards get the right verdicts', async (t) => {
  const verdicts: Record<string, string> = {}
  for (const name of sampleTrees) {
    const { exliar, configure } = await operator(t, name)
    await configure(alone)
    for (const { bdf, assessment } of (await exliar(['report', '--json'])).json().gpus)
      verdicts[`${name} ${bdf}`] = assessment.verdict
  }
  assert.deepEqual(verdicts, {
    'two-identical-nvidia-grub-initramfs-tools 0000:17:00.0': 'risky',
    'two-identical-nvidia-grub-initramfs-tools 0000:65:00.0': 'needs-changes',
    'amd-systemd-boot-mkinitcpio 0000:03:00.0': 'risky',
    'amd-systemd-boot-mkinitcpio 0000:0e:00.0': 'risky',
    'fedora-grub-dracut-sriov 0000:03:00.0': 'risky',
    'fedora-grub-dracut-sriov 0000:4d:00.0': 'no',
    'fedora-grub-dracut-sriov 0000:4d:00.1': 'needs-changes',
    'fedora-grub-dracut-sriov 0000:4d:00.2': 'ready',
    'fedora-grub-dracut-sriov 0000:65:00.0': 'risky',
    'fedora-grub-dracut-sriov 10000:b3:00.0': 'needs-changes',
    'popos-kernelstub 0000:00:02.0': 'risky',
    'popos-kernelstub 0000:01:00.0': 'needs-changes',
    'limine-booster 0000:0a:00.0': 'risky',
    'limine-booster 0000:0b:00.0': 'ready',
  })
})

test('a virtual function goes alone; a card in a group with a disk goes only with it, knowingly', async (t) => {
  const { exliar, configure } = await operator(t, 'fedora-grub-dracut-sriov')
  await configure(alone)
  const functions = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await exliar(['plan', ...args, '--json'])).json().functions.map(({ bdf }: { bdf: string }) => bdf)
  assert.deepEqual(await functions('4d:00.1'), ['0000:4d:00.1'])
  // It is no part of the initial file system, which would look in vain for what the kernel is told to load there.
  assert.doesNotMatch((await exliar(['plan', '4d:00.1'])).out, /rd\.driver\.pre/)
  assert.match((await exliar(['plan', '10000:b3:00'])).out, /rd\.driver\.pre=vfio-pci/)
  assert.deepEqual(await functions('10000:B3:00'), ['10000:b3:00.0', '10000:b3:00.1'])
  const physical = await exliar(['plan', '4d:00', '--json'])
  assert.deepEqual([physical.code, physical.error().code], [65, 'SELECTION_REFUSED'])
  const foreign = await exliar(['plan', '65:00', '--json'])
  assert.match(foreign.error().message, /0000:66:00\.0/)
})

test('a plan shows the functions, the difference of each file and a tag; a dry run is the same and changes nothing', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  const before = treeSnapshot(root)
  const plan = await exliar(['plan', card, '--json'])
  assert.equal(plan.code, 0)
  const { functions, diffs, etag, steps } = plan.json()
  assert.deepEqual(
    functions.map(({ bdf }: { bdf: string }) => bdf),
    ['0000:65:00.0', '0000:65:00.1', '0000:65:00.2', '0000:65:00.3'],
  )
  const all = JSON.stringify(diffs)
  assert.match(all, /intel_iommu=on/)
  assert.doesNotMatch(all, /17:00|amd_iommu/)
  assert.ok(steps.length > 5)
  assert.equal((await exliar(['plan', card, '--json'])).json().etag, etag, 'the same machine gives the same plan')
  assert.equal((await exliar(['plan', card, '--exit-code'])).code, 3)
  const dry = await exliar(['apply', card, '--dry-run'])
  assert.deepEqual([dry.code, dry.out], [0, (await exliar(['plan', card])).out])
  assert.deepEqual((await exliar(['apply', card, '--dry-run', '--json'])).json().applied, false)
  assert.deepEqual(treeSnapshot(root), before)
})

test('apply shows the plan and asks; without an answer, or anybody to ask, nothing is changed', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  const before = treeSnapshot(root)
  const no = await exliar(['apply', card], { answers: ['n'] })
  assert.deepEqual([no.code, no.asked], [1, ['Do it? [y/N] ']])
  assert.match(no.err, /intel_iommu=on/)
  assert.equal((await exliar(['apply', card], { answers: [''] })).code, 1)
  for (const verb of ['apply', 'apply --json']) {
    const { code, err, out } = await exliar([...verb.split(' '), card])
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /EXLIAR_NOBODY_TO_ASK/)
  }
  assert.deepEqual(treeSnapshot(root), before)
  const yes = await exliar(['apply', card], { answers: ['YES'] })
  assert.equal(yes.code, 0)
  assert.match(yes.out, /^Done: \d+ changes\. `exliar cleanup` takes back what was done\.\nStart the machine again/m)
  for (const verb of ['rollback', 'cleanup']) {
    assert.equal((await exliar([verb], { answers: ['no'] })).code, 1)
    assert.equal((await exliar([verb, '--json'])).error().code, 'EXLIAR_NOBODY_TO_ASK')
  }
  const back = await exliar(['cleanup'], { answers: ['y'] })
  assert.match(back.asked[0] ?? '', /^Take back \d+ changes\? \[y\/N\] $/)
  assert.match(back.out, /Everything is as it was before\.\n$/)
  assert.deepEqual(treeSnapshot(root), before)
})

test('a plan that is no longer true is not done; what is applied already is planned no second time', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  const { etag } = (await exliar(['plan', card, '--json'])).json()
  await appendFile(join(root, 'etc/default/grub'), '# by a person\n')
  const before = treeSnapshot(root)
  const stale = await exliar(['apply', card, '--yes', '--etag', etag, '--json'])
  assert.deepEqual([stale.code, stale.error().code], [75, 'PLAN_STALE'])
  assert.deepEqual(treeSnapshot(root), before)
  const fresh = (await exliar(['plan', card, '--json'])).json().etag
  assert.match(stale.error().message, new RegExp(`its etag is ${fresh} now$`))
  assert.equal((await exliar(['apply', card, '--yes', '--etag', fresh, '--json'])).json().applied, true)
  assert.equal((await exliar(['plan', card, '--exit-code', '--bind', 'at-start'])).code, 0)
})

test('what a plugin emits is not said never to have been', async (t) => {
  const { exliar, configure } = await operator(t, nvidia)
  await configure(alone)
  assert.match((await exliar(['trace', 'plugin-event'])).out, /is not written down/)
  assert.equal((await exliar(['trace', 'cleanup'])).out, 'cleanup has not run yet.\n')
})

test('status tells each change, and rollback takes back the last apply only', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  assert.equal((await exliar(['status'])).out, 'Nothing was changed.\n')
  assert.equal((await exliar(['rollback'])).out, 'There is nothing to take back.\n')
  const before = treeSnapshot(root)
  await exliar(['apply', card, '--yes', '--leave-out', 'bootloader'])
  const between = withoutState(treeSnapshot(root))
  const first = (await exliar(['status', '--json'])).json()
  assert.equal(first.interrupted, false)
  await exliar(['apply', card, '--yes'])
  const all = (await exliar(['status', '--json'])).json().changes
  assert.ok(all.length > first.changes.length)
  assert.ok(all.every(({ state, plugin }: { state: string; plugin: unknown }) => state === 'done' && plugin === null))
  const text = await exliar(['status'])
  assert.match(text.out, /^CHANGE +STATE +AT +BY +WHAT\n1 +done +\S+ +exliar /)
  assert.match(text.out, /^\d+: Left out, because .*: update-grub$/m)
  const rolled = await exliar(['rollback', '--yes', '--json'])
  const back = rolled.json()
  assert.equal(back.changes.length, all.length - first.changes.length)
  assert.deepEqual([rolled.code, back.complete, back.standing], [0, true, first.changes.length])
  assert.deepEqual(withoutState(treeSnapshot(root)), between)
  assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
  assert.deepEqual(treeSnapshot(root), before)
})

test('a program of the machine that fails in the middle: all is taken back at once, and that is said', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  bringShell(root)
  bringScript(root, 'usr/sbin/update-initramfs', 'echo "no space left" >&2; exit 3')
  const before = treeSnapshot(root)
  const failed = await exliar(['apply', card, '--yes', '--json'])
  assert.deepEqual([failed.code, failed.error().code], [70, 'APPLY_ROLLED_BACK'])
  assert.match(failed.error().message, /no space left.*what had been done was taken back/s)
  assert.deepEqual(treeSnapshot(root), before)
  assert.equal((await exliar(['status'])).out, 'Nothing was changed.\n')
})

test('what fails over an apply that stands is taken back by itself, and the one that stands is named and stays', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  bringShell(root)
  bringScript(root, 'usr/sbin/update-initramfs', 'exit 3')
  assert.equal((await exliar(['apply', card, '--yes', '--leave-out', 'initramfs'])).code, 0)
  const before = withoutState(treeSnapshot(root))
  const { code, err } = await exliar(['apply', card, '--yes'])
  assert.equal(code, 70)
  assert.match(err, /^It is taken back\. What was applied before stands: \d+ changes\.\nAPPLY_ROLLED_BACK: /m)
  assert.deepEqual(withoutState(treeSnapshot(root)), before)
})

test('an image that only its program can make again is said to be made anew, not to be as it was', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  bringShell(root)
  bringScript(root, 'usr/sbin/update-initramfs', 'echo "made anew" > /boot/initrd.img-6.12.48+deb13-amd64')
  await writeFile(join(root, 'boot/initrd.img-6.12.48+deb13-amd64'), Buffer.alloc(1_100_000))
  assert.equal((await exliar(['apply', card, '--yes'])).code, 0)
  const { code, out } = await exliar(['cleanup', '--yes'])
  assert.equal(code, 0)
  assert.match(
    out,
    /Made anew by update-initramfs[^]*Everything is taken back; what is not the same to the byte is named above\.\n$/,
  )
})

test('what somebody else wrote while apply failed is kept, and what is left is named', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  bringShell(root)
  bringScript(root, 'usr/sbin/update-initramfs', 'echo "# by a package" >> /etc/modprobe.d/vfio.conf; exit 3')
  const kept = await exliar(['apply', card, '--yes'])
  assert.equal(kept.code, 73, kept.err)
  assert.match(kept.err, /^kept +\S/m)
  assert.match(kept.err, /\+# by a package/)
  assert.match(kept.err, /^APPLY_LEFT_SOMETHING: .*not all that had been done could be taken back$/m)
})

test('a file that somebody changed since is kept and named, everything else is as before, and the next cleanup ends it', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  const before = treeSnapshot(root)
  const grub = join(root, 'etc/default/grub')
  const original = await readFile(grub)
  await exliar(['apply', card, '--yes'])
  await appendFile(grub, '# mine\u001B[2J\u202E\n')
  const { code, out } = await exliar(['cleanup', '--yes'])
  assert.equal(code, 1)
  assert.match(out, /^kept +.*\n +.*\/etc\/default\/grub.*somebody else/m)
  assert.match(out, /^ +\+# mine\uFFFD\[2J\uFFFD$/m, 'and steers no terminal')
  assert.match(out, /What is marked as kept is not as it was before\.\n$/)
  const { changes } = (await exliar(['status', '--json'])).json()
  assert.deepEqual(
    changes.filter(({ state }: { state: string }) => state !== 'undone').map(({ state }: { state: string }) => state),
    ['kept'],
  )
  await writeFile(grub, original)
  assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
  assert.deepEqual(Object.keys(treeSnapshot(root)), Object.keys(before))
})

test('cards that the machine has taken at its start are given back at the next: that is said, and not where it was not started since', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  const startedAt = (ms: number): Promise<void> =>
    writeFile(join(root, 'proc/stat'), `cpu 1 2\nbtime ${Math.floor(ms / 1_000)}\n`)
  await startedAt(Date.now() - 60_000)
  await exliar(['apply', card, '--yes', '--bind', 'at-start'])
  const early = await exliar(['cleanup', '--yes'])
  assert.match(early.out, /Everything is as it was before\.\n$/)
  await exliar(['apply', card, '--yes', '--bind', 'at-start'])
  await startedAt(Date.now() + 60_000)
  const late = await exliar(['rollback', '--yes', '--json'])
  assert.equal(late.json().restart, true)
  await exliar(['apply', card, '--yes', '--bind', 'at-start'])
  await startedAt(Date.now() + 120_000)
  const clean = await exliar(['cleanup', '--yes'])
  assert.match(clean.out, /as it was before\. The machine was started with it: start it again, only then it counts no more\.\n$/)
})

test('what keeps plugins from starting keeps nobody from taking back what was changed', async (t) => {
  const { exliar, root, configure, dropIn, home } = await operator(t, nvidia)
  await configure(alone)
  const before = treeSnapshot(root)
  await exliar(['apply', card, '--yes'])
  await dropIn('guard', {
    'plugin.json': JSON.stringify({
      schemaVersion: 1,
      id: 'local/guard',
      version: '1.0.0',
      main: 'index.js',
      requires: { api: '^1.0.0' },
      criticality: 'fail-closed',
      contributes: { 'exliar.cleanup': { guard: {} } },
    }),
    'index.js': `import { definePlugin } from '@backplane/sdk'
import { cleanup } from '@exliar-vfio/points'
export default definePlugin((scope) => scope.on(cleanup, 'guard', () => { throw new Error('I like it as it is') }))`,
  })
  await configure(development)
  const rolled = await exliar(['rollback', '--yes'])
  assert.equal(rolled.code, 0, rolled.err)
  assert.match(rolled.err, /passed over: local\/guard failed in the step cleanup.*I like it as it is/)
  assert.deepEqual(treeSnapshot(root), before)
  await exliar(['apply', card, '--yes'])
  await configure(`[plugins]\ntrust_policy = "${join(home, 'nonesuch')}"\n`)
  const cleaned = await exliar(['cleanup', '--yes'])
  assert.equal(cleaned.code, 0, cleaned.err)
  assert.match(cleaned.err, /passed over: the trust policy .*nonesuch cannot be used/)
  assert.deepEqual(treeSnapshot(root), before)
})

test('a second one that wants to change the machine at the same time is told who does', async (t) => {
  const { exliar, root, configure } = await operator(t, nvidia)
  await configure(alone)
  await mkdir(join(root, 'var/lib/exliar-vfio'), { recursive: true })
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const stat = await readFile('/proc/self/stat', 'utf8')
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const lock = join(root, 'var/lib/exliar-vfio/lock')
  await writeFile(lock, JSON.stringify({ pid: process.pid, startedAt, boot, made: [] }))
  const refused = async (): Promise<void> => {
    const { code, error } = await exliar(['apply', card, '--yes', '--json'])
    assert.deepEqual([code, error().code], [75, 'CHANGES_BUSY'])
    assert.equal((await exliar(['status'])).out, `Process ${process.pid} is changing this machine.\n`)
  }
  await refused()
  // The journal of a run that is not over looks the same whether somebody is at it or was killed.
  Journal.read(MachineTree.open(root), '/var/lib/exliar-vfio/journal.jsonl').append({ type: 'begun', run: 1, title: 'theirs' })
  await refused()
  const { interrupted, changing } = (await exliar(['status', '--json'])).json()
  assert.deepEqual([interrupted, changing], [false, process.pid])
  await rm(lock)
  assert.equal((await exliar(['status', '--json'])).json().interrupted, true)
})

function withoutState(snapshot: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(snapshot).filter(([path]) => !path.startsWith('var/lib/exliar-vfio')))
}
