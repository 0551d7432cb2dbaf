import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { MachineTree } from '../machine/machine-tree.ts'
import { hookScript, refusedExitCode, type HookScriptOptions } from './hook-script.ts'
import { planHookInstall } from './install-hook.ts'

const command = ['/usr/bin/node', "/opt/it's here/exliar.js", 'vm-hook']
const dropIn = '/etc/libvirt/hooks/qemu.d/exliar-vfio'
const single = '/etc/libvirt/hooks/qemu'

async function treeWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<MachineTree> {
  const root = await temporaryDirectory(t)
  mkdirSync(join(root, 'etc/libvirt/hooks/qemu.d'), { recursive: true })
  for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content, { mode: 0o755 })
  return MachineTree.open(root)
}

test('the hook is one file among others where libvirt reads many, and the only one where it is older', async (t) => {
  const tree = await treeWith(t, {})
  for (const [version, path] of [
    ['9.0.0', dropIn],
    ['6.5.0', dropIn],
    ['6.4.0', single],
    ['10.0.0', dropIn],
    [undefined, dropIn],
  ] as const) {
    const { steps, notes } = planHookInstall(tree, { command, ...(version === undefined ? {} : { libvirtVersion: version }) })
    assert.deepEqual([steps.length, steps[0]?.path, steps[0]?.mode], [1, path, 0o755])
    assert.match(notes[0] ?? '', /Restart libvirtd/)
  }
})

test("somebody else's hook is never overwritten; ours is brought up to date", async (t) => {
  const foreign = '#!/bin/sh\necho mine\n'
  const tree = await treeWith(t, { [single]: foreign, [dropIn]: foreign })
  assert.throws(() => planHookInstall(tree, { command }), { code: 'VM_HOOK_FOREIGN', message: /qemu\.d/ })
  assert.throws(() => planHookInstall(tree, { command, libvirtVersion: '6.0.0' }), { code: 'VM_HOOK_FOREIGN' })
  assert.equal(tree.readText(single), foreign)
  await tree.write(dropIn, hookScript({ command, isFailClosed: true }), { mode: 0o755, uid: 0, gid: 0 })
  assert.equal(planHookInstall(tree, { command }).steps.length, 1)
  assert.deepEqual(planHookInstall(tree, { command, isFailClosed: true }), { steps: [], notes: [] })
})

test('one of ours in the single file stays there, so that nobody is asked twice', async (t) => {
  const tree = await treeWith(t, { [single]: hookScript({ command: ['/old/exliar', 'vm-hook'] }) })
  assert.equal(planHookInstall(tree, { command, libvirtVersion: '9.0.0' }).steps[0]?.path, single)
})

/** Runs the script as libvirt does, with a program in place of exliar. */
async function run(
  t: TestContext,
  program: string,
  { operation = 'prepare begin', ...options }: Partial<HookScriptOptions> & { operation?: string },
) {
  const directory = await temporaryDirectory(t)
  const exliar = join(directory, "it's exliar")
  writeFileSync(exliar, `#!/bin/sh\n${program}\n`)
  chmodSync(exliar, 0o755)
  const hook = join(directory, 'hook')
  writeFileSync(hook, hookScript({ command: [exliar, 'vm-hook'], ...options }))
  chmodSync(hook, 0o755)
  const { status, stdout, stderr } = spawnSync(hook, ['a b$(touch x)', ...operation.split(' '), '-'], {
    input: '<domain/>',
    encoding: 'utf8',
    cwd: directory,
  })
  assert.equal(stdout, '', 'libvirt would take it for XML')
  assert.equal(existsSync(join(directory, 'x')), false)
  const said = join(directory, 'said')
  return { status, stderr, said: existsSync(said) ? readFileSync(said, 'utf8') : '' }
}

test('the script hands over what libvirt says, as it is, and stops a start only on an answer', async (t) => {
  const ok = await run(t, `printf '%s|' "$@" > said; cat >> said; echo not XML`, {})
  assert.deepEqual(ok, { status: 0, stderr: '', said: 'vm-hook|a b$(touch x)|prepare|begin|-|<domain/>' })
  assert.equal((await run(t, `echo because >&2; exit ${refusedExitCode}`, {})).status, 1)
  const broken = await run(t, 'exit 7', {})
  assert.equal(broken.status, 0)
  assert.match(broken.stderr, /^exliar: it ended with code 7; its plugins were not asked$/m)
  assert.equal((await run(t, 'exit 7', { isFailClosed: true })).status, 1)
  assert.equal((await run(t, 'exit 7', { isFailClosed: true, operation: 'release end' })).status, 0)
  const late = await run(t, 'sleep 60', { deadlineSeconds: 1 })
  assert.deepEqual([late.status, late.stderr], [0, 'exliar: it took longer than 1 s; its plugins were not asked\n'])
  assert.equal((await run(t, 'sleep 60', { deadlineSeconds: 1, isFailClosed: true })).status, 1)
  const missing = await run(t, '', { command: ['/nonesuch/exliar'] })
  assert.deepEqual([missing.status, missing.stderr], [0, 'exliar: /nonesuch/exliar is missing; its plugins were not asked\n'])
  assert.equal((await run(t, '', { command: ['/nonesuch/exliar'], isFailClosed: true })).status, 1)
})

test('other calls of libvirt do not start exliar at all', async (t) => {
  for (const operation of ['start begin', 'migrate begin', 'restore begin', 'attach begin']) {
    assert.deepEqual(await run(t, 'echo called > said', { operation }), { status: 0, stderr: '', said: '' })
  }
})

test('the script is one that every shell reads', () => {
  execFileSync('sh', ['-n'], { input: hookScript({ command }) })
})
