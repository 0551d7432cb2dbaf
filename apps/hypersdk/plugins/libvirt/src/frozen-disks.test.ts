import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { all, bench, compare, domain, runningBench, sources, untilFile, useLibvirt } from './fixtures/libvirt-bench.ts'

useLibvirt()

test('a running domain goes on while its disks stand still, and afterwards everything is as it was', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh, disks },
    provider,
    staging,
    state,
  } = made
  const golden = makeDisk('golden.qcow2', 'qcow2')
  const top = makeDisk('top.qcow2', 'qcow2', golden)
  const raw = makeDisk('run.raw', 'raw')
  const uuid = domain(t, made.libvirt, '-running one', [
    [top, 'qcow2'],
    [raw, 'raw'],
  ])
  const goldenBefore = execFileSync('sha256sum', [golden], { encoding: 'utf8' })
  virsh('start', '--domain', uuid)
  const filesBefore = readdirSync(disks).sort()
  const items = provider.exportVm({ export_id: 'run', id: '-running one', format: 'raw', staging_dir: staging })
  await untilFile(items)
  assert.equal(
    sources(made.libvirt, uuid).every((file) => /\.hypersdk-[0-9a-f]{12}$/.test(file)),
    true,
  )
  assert.equal(state.size, 1, 'what is frozen is on record')
  await all(items)
  assert.deepEqual(sources(made.libvirt, uuid), [top, raw])
  assert.deepEqual(readdirSync(disks).sort(), filesBefore, 'no overlay is left')
  assert.equal(state.size, 0)
  assert.equal(virsh('domstate', '--domain', uuid).trim(), 'running')
  assert.equal(execFileSync('sha256sum', [golden], { encoding: 'utf8' }), goldenBefore, 'what the disk stands on is untouched')
  assert.match(execFileSync('qemu-img', ['info', '-U', top], { encoding: 'utf8' }), /backing file: .*golden/)
  compare(join(staging, 'vda.raw'), 'raw', top, 'qcow2')
})

test('an export that is cancelled or left early leaves no snapshot behind', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh },
    provider,
    staging,
    state,
  } = made
  const disk = makeDisk('cancel.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'cancel', [
    [disk, 'qcow2'],
    [makeDisk('cancel.raw', 'raw'), 'raw'],
  ])
  virsh('start', '--domain', uuid)
  const cancel = new AbortController()
  const cancelled = provider.exportVm({ export_id: 'c1', id: uuid, format: 'raw', staging_dir: staging }, cancel.signal)
  await untilFile(cancelled)
  cancel.abort(new Error('not wanted any more'))
  await assert.rejects(all(cancelled), /not wanted any more/)
  const left = provider.exportVm({ export_id: 'c2', id: uuid, format: 'qcow2', staging_dir: staging })
  await untilFile(left)
  await left.return(undefined)
  assert.equal(sources(made.libvirt, uuid)[0], disk)
  assert.equal(state.size, 0)
})

test('after a crash the snapshot is taken back by the cleanup, again and again without harm', async (t) => {
  const made = await runningBench(t, 'crash')
  if (made === undefined) return
  const { libvirt, disk, uuid, exportIt } = made
  const filesBefore = readdirSync(libvirt.disks).sort()
  await untilFile(exportIt())
  assert.notEqual(sources(libvirt, uuid)[0], disk)
  const restarted = await made.open()
  const another = restarted.exportVm({ export_id: 'other', id: uuid, format: 'raw', staging_dir: made.staging })
  await assert.rejects(all(another), { code: 'LIBVIRT_EXPORT_RUNNING', message: /by crash/, retryable: true })
  for (const id of ['crash', 'crash', 'never heard of'])
    assert.equal(await restarted.unary('cleanupExport', { export_id: id }), null)
  made.expectReleased()
  assert.deepEqual(readdirSync(libvirt.disks).sort(), filesBefore)
})

test('a retry of the same export first takes back what the earlier attempt left', async (t) => {
  const made = await runningBench(t, 'retry')
  if (made === undefined) return
  await untilFile(made.exportIt())
  await all(made.exportIt(await made.open()))
  made.expectReleased()
})

test('a merge that was cut off is finished by the cleanup', async (t) => {
  const made = await runningBench(t, 'cut')
  if (made === undefined) return
  await untilFile(made.exportIt())
  const merge = ['--path', 'vda', '--active', '--shallow', '--wait', '--keep-overlay']
  made.libvirt.virsh('blockcommit', '--domain', made.uuid, ...merge)
  await (await made.open()).unary('cleanupExport', { export_id: 'cut' })
  made.expectReleased()
})

test('what cannot be merged back yet stays on record, and the error says what to do', async (t) => {
  const made = await runningBench(t, 'down')
  if (made === undefined) return
  const { provider, uuid, state } = made
  const { virsh } = made.libvirt
  const items = made.exportIt()
  await untilFile(items)
  virsh('destroy', '--domain', uuid)
  await assert.rejects(all(items), { code: 'LIBVIRT_RELEASE_BLOCKED', message: /it is shut off/, hint: /Start the machine/ })
  assert.equal(state.size, 1)
  virsh('start', '--domain', uuid)
  virsh('snapshot-create-as', '--domain', uuid, '--name', 'theirs', '--disk-only', '--no-metadata')
  await assert.rejects(provider.unary('cleanupExport', { export_id: 'down' }), {
    code: 'LIBVIRT_RELEASE_BLOCKED',
    message: /now runs on/,
  })
  virsh('blockcommit', '--domain', uuid, '--path', 'vda', '--active', '--shallow', '--pivot', '--wait')
  await provider.unary('cleanupExport', { export_id: 'down' })
  made.expectReleased()
})

test('a domain that is gone needs no merging', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh, define },
    provider,
    staging,
    state,
  } = made
  const uuid = define('gone', [[makeDisk('gone.qcow2', 'qcow2'), 'qcow2']])
  virsh('start', '--domain', uuid)
  const items = provider.exportVm({ export_id: 'gone', id: uuid, format: 'raw', staging_dir: staging })
  await untilFile(items)
  virsh('destroy', '--domain', uuid)
  virsh('undefine', '--domain', uuid)
  await all(items)
  assert.equal(state.size, 0)
})

test('overlays may be put into a directory of their own', async (t) => {
  const made = await runningBench(t, 'elsewhere')
  if (made === undefined) return
  const directory = join(made.libvirt.disks, 'a,b')
  execFileSync('install', ['-d', ...(process.getuid?.() === 0 ? ['-o', 'nobody'] : []), directory])
  const items = made.exportIt(await made.open({ overlay_directory: directory }))
  await untilFile(items)
  assert.equal(readdirSync(directory).length, 1)
  await all(items)
  made.expectReleased()
  assert.deepEqual(readdirSync(directory), [])
  rmSync(directory, { recursive: true })
})

test('a snapshot that libvirt refuses leaves nothing frozen', async (t) => {
  const made = await runningBench(t, 'refused')
  if (made === undefined) return
  const items = made.exportIt(await made.open({ quiesce: true }))
  await assert.rejects(all(items), { code: 'LIBVIRT_FAILED', message: /agent/ })
  made.expectReleased()
})
