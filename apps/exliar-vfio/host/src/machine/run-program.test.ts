import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { bringScript, bringShell } from '../fixtures/bring-program.ts'
import { findProgram } from './find-program.ts'
import { MachineTree } from './machine-tree.ts'
import { runProgram } from './run-program.ts'

const here = MachineTree.open('/')

async function treeWithShell(t: TestContext): Promise<{ root: string; tree: MachineTree }> {
  const root = await temporaryDirectory(t)
  bringShell(root)
  await mkdir(join(root, 'proc'))
  await mkdir(join(root, 'dev'))
  return { root, tree: MachineTree.open(root) }
}

test('a program is found where the machine keeps programs, and only when it can be executed', async (t) => {
  const root = await temporaryDirectory(t)
  const tree = MachineTree.open(root)
  bringScript(root, 'usr/sbin/update-initramfs', 'true')
  bringScript(root, 'usr/bin/dracut', 'true')
  await chmod(join(root, 'usr/bin/dracut'), 0o644)
  assert.equal(findProgram(tree, 'update-initramfs'), '/usr/sbin/update-initramfs')
  assert.equal(findProgram(tree, '/usr/sbin/update-initramfs'), '/usr/sbin/update-initramfs')
  assert.equal(findProgram(tree, 'dracut'), undefined)
  assert.equal(findProgram(tree, 'mkinitcpio'), undefined)
})

test('on this machine a program runs with its arguments as they are and no environment of ours', async () => {
  process.env['EXLIAR_LEAK'] = 'seen'
  const end = await runProgram(here, {
    program: 'sh',
    args: ['-c', 'printf "%s|" "$1" "$OWN" "$EXLIAR_LEAK"; cat', 'sh', '$HOME; a b'],
    environment: { OWN: 'mine' },
    input: 'given',
  })
  delete process.env['EXLIAR_LEAK']
  assert.deepEqual(end, { kind: 'done', output: '$HOME; a b|mine||given', errors: '' })
})

test('a program that fails says with what code and what it wrote', async () => {
  const end = await runProgram(here, { program: 'sh', args: ['-c', 'echo out; echo wrong >&2; exit 3'] })
  assert.deepEqual(end, { kind: 'failed', exitCode: 3, reason: 'it ended with code 3', output: 'out\n', errors: 'wrong\n' })
})

test('a program that takes too long is ended with all it started', async () => {
  const run = { program: 'sh', args: ['-c', 'sleep 60 & echo $!; wait'], timeoutMs: 300 }
  const end = await runProgram(here, run)
  assert.equal(end.kind, 'failed')
  assert.equal(end.reason, 'it took longer than 0.3 s')
  const started = await readFile(`/proc/${Number(end.output)}/stat`, 'utf8').catch(() => 'gone')
  assert.match(started, /^gone$|\) Z /)
})

test('a program can be cancelled, also before it starts', async () => {
  const running = new AbortController()
  const pending = runProgram(here, { program: 'sh', args: ['-c', 'exec sleep 60'], signal: running.signal })
  running.abort()
  const end = await pending
  assert.equal(end.kind, 'failed')
  assert.equal(end.reason, 'it was cancelled')
  const never = await runProgram(here, { program: 'sh', args: [], signal: AbortSignal.abort() })
  assert.equal(never.kind, 'failed')
  assert.equal(never.reason, 'it was cancelled before it started')
})

test('a program that writes more than the limit is ended', async () => {
  const end = await runProgram(here, { program: 'sh', args: ['-c', 'while :; do echo line; done'], outputBytes: 1000 })
  assert.equal(end.kind, 'failed')
  assert.equal(end.reason, 'it wrote more than 1000 bytes')
})

test('a program of another machine runs inside its files, where this machine is not to be seen', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { root, tree } = await treeWithShell(t)
  bringScript(root, 'usr/bin/mkinitcpio', 'echo "$*" > /made\n[ -e /etc/passwd ] || echo alone\necho /proc/[0-9]*')
  const end = await runProgram(tree, { program: 'mkinitcpio', args: ['-P'] })
  assert.equal(end.kind, 'done')
  assert.match(end.output, /^alone\n\/proc\/1 \/proc\/\d+\n$/)
  assert.equal(await readFile(join(root, 'made'), 'utf8'), '-P\n')
  assert.deepEqual(tree.names('/dev'), [])
})

test('a program of another machine cannot change the settings of this kernel, also where root runs it', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { root, tree } = await treeWithShell(t)
  const writes = ['/proc/sys/kernel/core_pattern', '/proc/self/comm'].map((path) => `[ -w ${path} ] && echo ${path}`)
  bringScript(root, 'usr/bin/mkinitcpio', [...writes, 'while read -r line; do echo "$line"; done </proc/self/status'].join('\n'))
  const end = await runProgram(tree, { program: 'mkinitcpio', args: [] })
  assert.equal(end.kind, 'done')
  assert.doesNotMatch(end.output, /^\/proc/m)
  const [, held = ''] = /^CapBnd:\s+([\da-f]+)$/m.exec(end.output) ?? []
  assert.equal(BigInt(`0x${held}`), 0b11011n, 'to chown, to override permissions, to be as the owner, to keep set-id bits')
})

test('a program that failed after it ran did run, whatever it wrote about libraries', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { root, tree } = await treeWithShell(t)
  bringScript(root, 'usr/bin/dracut', 'echo half done >&2; echo "x: error while loading shared libraries: y" >&2; exit 127')
  const end = await runProgram(tree, { program: 'dracut', args: [] })
  assert.deepEqual([end.kind, end.kind === 'failed' && end.exitCode], ['failed', 127])
})

test('a program the other machine does not bring is left out, although this one has it', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'usr/bin'), { recursive: true })
  await symlink('/bin/sh', join(root, 'usr/bin/dracut'))
  const end = await runProgram(MachineTree.open(root), { program: 'dracut', args: ['--force'] })
  assert.deepEqual(end, { kind: 'left-out', reason: 'dracut is not installed there' })
})

test('a program whose interpreter or libraries are not in the tree is left out', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const root = await temporaryDirectory(t)
  bringScript(root, 'usr/bin/mkinitcpio', 'true')
  const bare = await runProgram(MachineTree.open(root), { program: 'mkinitcpio', args: [] })
  assert.deepEqual(bare, { kind: 'left-out', reason: 'what it needs to run is not all there: No such file or directory' })
  bringShell(root)
  const libraries = MachineTree.open(root)
  for (const path of ['/lib/x86_64-linux-gnu/libc.so.6', '/usr/lib/x86_64-linux-gnu/libc.so.6']) {
    if (libraries.has(path)) await writeFile(libraries.hostPath(path), '')
  }
  const broken = await runProgram(libraries, { program: 'mkinitcpio', args: [] })
  assert.equal(broken.kind, 'left-out')
  assert.match(broken.reason, /^what it needs to run is not all there: /)
})
