import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { apply, type Applied, type Application } from './apply.ts'
import { openChanges, type ChangesOptions } from './open-changes.ts'
import { recordedChanges } from './recorded-changes.ts'
import { standardExecutors } from './standard-executors.ts'
import type { Step, WriteFileStep } from './step.ts'
import { cleanup, recover, rollback, type UndoReport } from './undo.ts'

function writing(path: string, text: string, mode?: number): WriteFileStep {
  const cause = { plugin: 'exliar/nvidia-handler', hook: 'exliar.gpu-detected' }
  const marks = mode === undefined ? {} : { mode }
  return {
    kind: 'write-file',
    path,
    content: Buffer.from(text),
    cause,
    summary: `write ${path}`,
    records: 'file-modified',
    ...marks,
  }
}

function running(program: string, generates: readonly string[]): Step {
  return { kind: 'run-command', program, args: ['-P'], generates, cause: null, summary: `run ${program}`, records: 'command-run' }
}

async function sample(t: TestContext, files: TreeDescription = {}): Promise<{ root: string; options: ChangesOptions }> {
  const root = await madeTree(t, { 'etc/default/grub': 'a\n', 'etc/secret': 'b\n' }, files)
  await chmod(join(root, 'etc/secret'), 0o600)
  return { root, options: { tree: MachineTree.open(root), executors: standardExecutors } }
}

async function applied(
  options: ChangesOptions,
  steps: readonly Step[],
  more: Partial<Application<string>> = {},
): Promise<Applied> {
  await using changes = await openChanges(options)
  return await apply(changes, { title: 'test', stages: [{ subject: 'all', steps }], ...more })
}

async function cleaned(options: ChangesOptions): Promise<UndoReport> {
  await using changes = await openChanges(options)
  return await cleanup(changes)
}

test('cleanup gives every byte, mode and time back, and leaves nothing of its own behind', async (t) => {
  const { root, options } = await sample(t)
  await symlink('default/grub', join(root, 'etc/grub'))
  await utimes(join(root, 'etc/default/grub'), 1_000, 2_000)
  const before = treeSnapshot(root)
  const steps = [writing('/etc/grub', 'b\n'), writing('/etc/secret', 'c\n'), writing('/etc/new/below/file', 'd\n', 0o755)]
  assert.equal((await applied(options, steps)).kind, 'applied')
  assert.equal((await applied(options, [writing('/etc/default/grub', 'c\n')])).kind, 'applied')
  assert.equal(await readFile(join(root, 'etc/default/grub'), 'utf8'), 'c\n')
  assert.equal(treeSnapshot(root)['etc/grub'], before['etc/grub'])
  assert.match(treeSnapshot(root)['etc/secret'] ?? '', /^file 600/)
  assert.match(treeSnapshot(root)['etc/new/below/file'] ?? '', /^file 755/)
  assert.equal((await cleaned(options)).complete, true)
  assert.deepEqual(treeSnapshot(root), before)
  assert.equal(statSync(join(root, 'etc/default/grub')).mtimeMs, 2_000_000)
})

test('rollback takes back the last run only, and nothing when there is none (E5)', async (t) => {
  const { root, options } = await sample(t)
  await applied(options, [writing('/etc/default/grub', 'b\n')])
  await applied(options, [writing('/etc/default/grub', 'c\n')])
  const text = (): Promise<string> => readFile(join(root, 'etc/default/grub'), 'utf8')
  for (const expected of ['b\n', 'a\n']) {
    await using changes = await openChanges(options)
    assert.equal((await rollback(changes))?.changes.length, 1)
    assert.equal(await text(), expected)
  }
  await using changes = await openChanges(options)
  assert.equal(await rollback(changes), undefined)
  assert.equal(await recover(changes), undefined)
})

test('a backup of a file that was not there is none: the undo removes the file (E5)', async (t) => {
  const { root, options } = await sample(t)
  await applied(options, [writing('/etc/modprobe.d/vfio.conf', 'a\n')])
  await cleaned(options)
  assert.equal(treeSnapshot(root)['etc/modprobe.d'], undefined)
})

test('a file somebody else changed meanwhile is kept and named with the difference, and the rest goes on', async (t) => {
  const { root, options } = await sample(t)
  await applied(options, [writing('/etc/default/grub', 'b\n'), writing('/etc/secret', 'c\n')])
  await writeFile(join(root, 'etc/default/grub'), 'b\nmine\n')
  const report = await cleaned(options)
  assert.equal(report.complete, false)
  const kept = report.changes.find(({ end }) => end.kind === 'kept')
  assert.match(kept?.end.kind === 'kept' ? kept.end.reason : '', /\/etc\/default\/grub was changed by somebody else/)
  assert.match(kept?.end.kind === 'kept' ? (kept.end.diff ?? '') : '', /^-a\n\+b\n\+mine$/m)
  assert.equal(await readFile(join(root, 'etc/default/grub'), 'utf8'), 'b\nmine\n')
  assert.equal(await readFile(join(root, 'etc/secret'), 'utf8'), 'b\n')
  await using changes = await openChanges(options)
  assert.deepEqual(
    recordedChanges(changes.journal).map(({ state, plugin }) => [state, plugin]),
    [
      ['kept', 'exliar/nvidia-handler'],
      ['undone', 'exliar/nvidia-handler'],
    ],
  )
  await writeFile(join(root, 'etc/default/grub'), 'a\n')
  assert.equal((await cleanup(changes)).complete, true)
})

test('who may read a file is left as somebody else wanted it since, and that is said', async (t) => {
  const { root, options } = await sample(t)
  await applied(options, [writing('/etc/default/grub', 'b\n'), writing('/etc/secret', 'c\n')])
  await chmod(join(root, 'etc/default/grub'), 0o600)
  const { complete, changes } = await cleaned(options)
  assert.equal(complete, true)
  assert.equal(await readFile(join(root, 'etc/default/grub'), 'utf8'), 'a\n')
  assert.match(treeSnapshot(root)['etc/default/grub'] ?? '', /^file 600/)
  const notes = changes.flatMap(({ end }) => (end.kind === 'undone' ? end.notes : []))
  assert.deepEqual(notes, ['/etc/default/grub keeps the owner and the permissions that somebody else gave it since'])
})

test('a file somebody else removed is named, and a directory somebody put something into stays', async (t) => {
  const { root, options } = await sample(t)
  await applied(options, [writing('/etc/default/grub', 'b\n'), writing('/etc/made/ours', 'c\n')])
  await rm(join(root, 'etc/default/grub'))
  await writeFile(join(root, 'etc/made/theirs'), 'd\n')
  const report = await cleaned(options)
  assert.match(JSON.stringify(report.changes), /was removed by somebody else/)
  assert.equal(treeSnapshot(root)['etc/made/ours'], undefined)
  assert.ok(treeSnapshot(root)['etc/made/theirs'])
})

test('a step that fails takes the whole run back by itself and says so', async (t) => {
  const { root, options } = await sample(t)
  const before = treeSnapshot(root)
  const run = (): Promise<{ kind: 'failed'; exitCode: number; reason: string; output: string; errors: string }> =>
    Promise.resolve({ kind: 'failed', exitCode: 1, reason: 'it ended with code 1', output: '', errors: 'a\nno space left\n' })
  const end = await applied({ ...options, run }, [writing('/etc/default/grub', 'b\n'), running('mkinitcpio', [])])
  assert.equal(end.kind, 'rolled-back')
  assert.equal(end.kind === 'rolled-back' && end.reason, 'mkinitcpio -P failed: it ended with code 1: no space left')
  assert.ok(end.kind === 'rolled-back' && end.error instanceof PlatformError && end.error.code === 'COMMAND_FAILED')
  assert.deepEqual(treeSnapshot(root), { ...before, 'etc/default/grub': before['etc/default/grub'] })
})

test('a stage that a plugin refuses stops the run, names the plugin, and leaves everything as it was', async (t) => {
  const { root, options } = await sample(t)
  const before = treeSnapshot(root)
  const asked: string[] = []
  const stages = ['first', 'second', 'third'].map((subject) => ({ subject, steps: [writing(`/etc/${subject}`, 'x')] }))
  const gate: Application<string>['gate'] = (when, subject) => {
    asked.push(`${when} ${subject}`)
    return Promise.resolve(subject === 'second' ? { plugin: 'acme/careful', reason: 'the card is in use' } : undefined)
  }
  const end = await applied(options, [], { stages, gate })
  assert.ok(end.kind === 'rolled-back')
  assert.deepEqual([end.plugin, end.reason], ['acme/careful', 'acme/careful refused it: the card is in use'])
  assert.equal(end.error instanceof PlatformError && end.error.code, 'STEP_REFUSED')
  assert.deepEqual(asked, ['before first', 'after first', 'before second'])
  assert.deepEqual(treeSnapshot(root), before)
  const crashing = await applied(options, [], { stages, gate: () => Promise.reject(new Error('boom')) })
  assert.equal(crashing.kind === 'rolled-back' && crashing.reason, 'boom')
  assert.deepEqual(treeSnapshot(root), before)
})

test('a step that nothing can do is refused, and what came before it is taken back', async (t) => {
  const { options } = await sample(t)
  const step: Step = {
    kind: 'bind-device',
    bdf: '0000:01:00.0',
    driver: null,
    cause: null,
    summary: 'bind',
    records: 'driver-bound',
  }
  const end = await applied(options, [writing('/etc/new', 'x'), step])
  assert.ok(end.kind === 'rolled-back' && end.error instanceof PlatformError && end.error.code === 'STEP_UNKNOWN')
  assert.equal(end.undo.complete, true)
})

test('two cannot change one machine at once; a lock of a process that is gone holds nothing', async (t) => {
  const { root, options } = await sample(t)
  {
    await using first = await openChanges(options)
    assert.equal(first.journal.records.length, 0)
    await assert.rejects(openChanges(options), {
      code: 'CHANGES_BUSY',
      message: `process ${process.pid} is changing this machine`,
    })
  }
  assert.equal(treeSnapshot(root)['var'], undefined)
  await mkdir(join(root, 'var/lib/exliar-vfio'), { recursive: true })
  const stale = { pid: process.pid, startedAt: 'another process of this number', boot: '', made: ['/var', '/var/lib'] }
  await writeFile(join(root, 'var/lib/exliar-vfio/lock'), JSON.stringify(stale))
  await cleaned(options)
  assert.equal(treeSnapshot(root)['var'], undefined)
})

test('a link planted where the lock is written leads nowhere', async (t) => {
  const { root, options } = await sample(t)
  const outside = join(await temporaryDirectory(t), 'outside')
  await writeFile(outside, 'precious')
  await mkdir(join(root, 'var/lib/exliar-vfio'), { recursive: true })
  await symlink(outside, join(root, `var/lib/exliar-vfio/lock.${process.pid}`))
  assert.equal((await applied(options, [writing('/etc/default/grub', 'b\n')])).kind, 'applied')
  assert.equal(await readFile(outside, 'utf8'), 'precious')
})

test('after an interrupted run nothing is applied before that is taken back', async (t) => {
  const { root, options } = await sample(t)
  const before = treeSnapshot(root)
  {
    await using changes = await openChanges(options)
    await changes.begin()
    changes.journal.append({ type: 'begun', run: 1, title: 'killed' })
  }
  await assert.rejects(applied(options, []), { code: 'CHANGES_UNFINISHED' })
  await using changes = await openChanges(options)
  const step = writing('/etc/default/grub', 'b\n')
  const look = await standardExecutors['write-file'].look(writing('/etc/default/grub', 'b\n'), changes.ground)
  const { kind, path, cause, summary, records } = step
  changes.journal.append({
    type: 'doing',
    run: 1,
    change: 1,
    step: { kind, path, cause, summary, records, sha256: 'f'.repeat(64) },
    before: look,
  })
  assert.deepEqual(
    (await recover(changes))?.changes.map(({ stood, end }) => [stood, end.kind]),
    [['before', 'undone']],
  )
  await changes[Symbol.asyncDispose]()
  assert.deepEqual(treeSnapshot(root), before)
})

test('a break lets the running step finish, begins no other, and takes back what was done', async (t) => {
  const { root, options } = await sample(t)
  const before = treeSnapshot(root)
  const broken = new AbortController()
  const told: string[] = []
  const onStep: Application<string>['onStep'] = async (when, { summary }) => {
    told.push(`${when} ${summary}`)
    if (when === 'after') broken.abort(new Error('ended by SIGINT'))
  }
  const steps = [writing('/etc/default/grub', 'b\n'), writing('/etc/secret', 'c\n')]
  const end = await applied(options, steps, { onStep, signal: broken.signal })
  assert.equal(end.kind === 'rolled-back' && end.reason, 'ended by SIGINT')
  assert.deepEqual(told, ['before write /etc/default/grub', 'after write /etc/default/grub'])
  assert.deepEqual(treeSnapshot(root), before)
})
