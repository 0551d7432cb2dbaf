import assert from 'node:assert/strict'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { apply, type Applied } from './apply.ts'
import { openChanges, type ChangesOptions } from './open-changes.ts'
import { standardExecutors } from './standard-executors.ts'
import type { RunCommandStep, Step } from './step.ts'
import { cleanup, type UndoReport } from './undo.ts'

const marks = { cause: null, summary: 'a step', records: 'command-run' } as const
const change: Step = { kind: 'write-file', path: '/etc/default/grub', content: Buffer.from('b\n'), ...marks }

const image = running('make', ['/boot/initrd-*.img'])

function running(program: string, generates: readonly string[]): RunCommandStep {
  return { kind: 'run-command', program, args: ['-P'], generates, ...marks }
}

async function sample(t: TestContext, files: TreeDescription = {}): Promise<{ root: string; options: ChangesOptions }> {
  const root = await madeTree(t, { 'etc/default/grub': 'a\n' }, files)
  return { root, options: { tree: MachineTree.open(root), executors: standardExecutors } }
}

async function applied(options: ChangesOptions, steps: readonly Step[]): Promise<Applied> {
  await using changes = await openChanges(options)
  return await apply(changes, { title: 'test', stages: [{ subject: null, steps }] })
}

async function cleaned(options: ChangesOptions): Promise<UndoReport> {
  await using changes = await openChanges(options)
  return await cleanup(changes)
}

test('small generated files come back to the byte; for large ones the program runs again, once', async (t) => {
  const large = 'i'.repeat(1024 * 1024 + 1)
  const { root, options } = await sample(t, { 'boot/grub/grub.cfg': 'old', 'boot/initrd-1.img': large })
  const before = treeSnapshot(root)
  let runs = 0
  const run: ChangesOptions['run'] = async (program) => {
    if (program === 'update-grub') await writeFile(join(root, 'boot/grub/grub.cfg'), `made ${runs}`)
    if (program === 'update-grub') return { kind: 'done', output: '', errors: '' }
    runs++
    const isOld = (await readFile(join(root, 'etc/default/grub'), 'utf8')) === 'a\n'
    await writeFile(join(root, 'boot/initrd-1.img'), isOld ? large : `${large}new`)
    await writeFile(join(root, 'boot/initrd-2.img'), 'further')
    return { kind: 'done', output: '', errors: '' }
  }
  await applied({ ...options, run }, [change, image, running('update-grub', ['/boot/grub/grub.cfg']), image])
  const report = await cleaned({ ...options, run })
  assert.match(JSON.stringify(report.changes), /Made anew by make -P: \/boot\/initrd-1\.img/)
  assert.equal(runs, 3)
  assert.deepEqual(treeSnapshot(root), before)
})

test('a program that is not there is left out with what to run by hand', async (t) => {
  const { root, options } = await sample(t)
  const before = treeSnapshot(root)
  const end = await applied(options, [running('no-such-program', ['/boot/x'])])
  assert.match(end.kind === 'applied' ? (end.notes[0] ?? '') : '', /^Left out, because .*: no-such-program -P$/)
  assert.equal((await cleaned(options)).complete, true)
  assert.deepEqual(treeSnapshot(root), before)
})

test('what an interrupted program may have made, and anybody else too, is left and named', async (t) => {
  const { root, options } = await sample(t, { 'boot/initrd-1.img': 'old', 'boot/initrd-3.img': 'old' })
  {
    await using changes = await openChanges(options)
    const generated = await standardExecutors['run-command'].look(image, changes.ground)
    await changes.begin()
    changes.journal.append({ type: 'begun', run: 1, title: 'killed' })
    changes.journal.append({ type: 'doing', run: 1, change: 1, step: image, before: generated })
    await writeFile(join(root, 'boot/initrd-1.img'), 'half')
    await writeFile(join(root, 'boot/initrd-2.img'), 'of a new kernel')
    await writeFile(join(root, 'boot/initrd-3.img'), 'of a kernel updated an hour later')
    await utimes(join(root, 'boot/initrd-3.img'), Date.now() / 1000, Date.now() / 1000 + 3600)
  }
  const runs: string[] = []
  const run: ChangesOptions['run'] = (program) => {
    runs.push(program)
    return Promise.resolve({ kind: 'done', output: '', errors: '' })
  }
  const report = await cleaned({ ...options, run })
  assert.deepEqual(runs, ['make'])
  assert.equal(await readFile(join(root, 'boot/initrd-3.img'), 'utf8'), 'of a kernel updated an hour later')
  assert.match(
    JSON.stringify(report.changes),
    /\/boot\/initrd-2\.img was not there before make -P was interrupted: remove it unless/,
  )
  assert.equal(await readFile(join(root, 'boot/initrd-1.img'), 'utf8'), 'old')
  assert.equal(await readFile(join(root, 'boot/initrd-2.img'), 'utf8'), 'of a new kernel')
})

test('a file that somebody made anew since is made again by its program, and stays when that cannot run', async (t) => {
  const { root, options } = await sample(t, { 'boot/grub/grub.cfg': 'old' })
  let can = true
  const run: ChangesOptions['run'] = async () => {
    if (can) await writeFile(join(root, 'boot/grub/grub.cfg'), 'made')
    return can ? { kind: 'done', output: '', errors: '' } : { kind: 'left-out', reason: 'it is not installed there' }
  }
  await applied({ ...options, run }, [running('update-grub', ['/boot/grub/grub.cfg'])])
  await writeFile(join(root, 'boot/grub/grub.cfg'), 'with a new kernel')
  can = false
  assert.match(JSON.stringify((await cleaned({ ...options, run })).changes), /update-grub -P must be run by hand/)
  assert.equal(await readFile(join(root, 'boot/grub/grub.cfg'), 'utf8'), 'with a new kernel')
  can = true
  assert.match(
    JSON.stringify((await cleaned({ ...options, run })).changes),
    /Made anew by update-grub -P: \/boot\/grub\/grub\.cfg/,
  )
  assert.equal(await readFile(join(root, 'boot/grub/grub.cfg'), 'utf8'), 'made')
})

test('what follows a program that runs again runs again after it, also where it was never begun, and what it makes stays', async (t) => {
  const large = 'i'.repeat(1024 * 1024 + 1)
  const { root, options } = await sample(t, { 'boot/limine.conf': 'hash of old', 'boot/initrd-1.img': large })
  const at = (name: string): string => join(root, 'boot', name)
  let made = 0
  const ran: string[] = []
  const run: ChangesOptions['run'] = async (program) => {
    ran.push(program)
    if (program === 'make') await writeFile(at('initrd-1.img'), `${large}${++made}`)
    else await writeFile(at('limine.conf'), `hash of ${(await readFile(at('initrd-1.img'), 'utf8')).slice(large.length)}`)
    return { kind: 'done', output: '', errors: '' }
  }
  const follower = { program: 'limine-update', args: [], generates: ['/boot/limine.conf'] }
  const maker: Step = { ...image, followers: [follower] }
  await applied({ ...options, run }, [maker, { kind: 'run-command', ...follower, ...marks }])
  assert.equal(await readFile(at('limine.conf'), 'utf8'), 'hash of 1')
  const script = await readFile(join(root, 'var/lib/exliar-vfio/cleanup.sh'), 'utf8')
  assert.match(script, /^remake make -P\nremake limine-update$/m)
  assert.doesNotMatch(script, /^put_back \//m)
  const { changes } = await cleaned({ ...options, run })
  assert.equal(await readFile(at('limine.conf'), 'utf8'), 'hash of 2')
  assert.match(JSON.stringify(changes), /Made anew by limine-update: \/boot\/limine\.conf/)
  await applied({ ...options, run }, [maker])
  assert.match(JSON.stringify(await cleaned({ ...options, run })), /Made anew by make -P: .*Made anew by limine-update\./)
  assert.equal(await readFile(at('limine.conf'), 'utf8'), 'hash of 4')
  assert.deepEqual(ran.slice(2), ['make', 'limine-update', 'make', 'make', 'limine-update'])
})
