import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { all, bench, compare, domain, sources, untilFile, useLibvirt } from './fixtures/libvirt-bench.ts'

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
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh, disks },
    provider,
    staging,
    state,
    open,
  } = made
  const disk = makeDisk('crash.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'crash', [[disk, 'qcow2']])
  virsh('start', '--domain', uuid)
  const filesBefore = readdirSync(disks).sort()
  await untilFile(provider.exportVm({ export_id: 'crash', id: uuid, format: 'raw', staging_dir: staging }))
  assert.notEqual(sources(made.libvirt, uuid)[0], disk)
  const restarted = await open()
  const another = restarted.exportVm({ export_id: 'other', id: uuid, format: 'raw', staging_dir: staging })
  await assert.rejects(all(another), { code: 'LIBVIRT_EXPORT_RUNNING', message: /by crash/, retryable: true })
  for (const id of ['crash', 'crash', 'never heard of'])
    assert.equal(await restarted.unary('cleanupExport', { export_id: id }), null)
  assert.equal(sources(made.libvirt, uuid)[0], disk)
  assert.deepEqual([state.size, readdirSync(disks).sort()], [0, filesBefore])
})

test('a retry of the same export first takes back what the earlier attempt left', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh },
    provider,
    staging,
    state,
    open,
  } = made
  const disk = makeDisk('retry.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'retry', [[disk, 'qcow2']])
  virsh('start', '--domain', uuid)
  await untilFile(provider.exportVm({ export_id: 'retry', id: uuid, format: 'raw', staging_dir: staging }))
  await all((await open()).exportVm({ export_id: 'retry', id: uuid, format: 'raw', staging_dir: staging }))
  assert.deepEqual([sources(made.libvirt, uuid)[0], state.size], [disk, 0])
})

test('a merge that was cut off is finished by the cleanup', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh },
    provider,
    staging,
    state,
    open,
  } = made
  const disk = makeDisk('cut.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'cut', [[disk, 'qcow2']])
  virsh('start', '--domain', uuid)
  await untilFile(provider.exportVm({ export_id: 'cut', id: uuid, format: 'raw', staging_dir: staging }))
  virsh('blockcommit', '--domain', uuid, '--path', 'vda', '--active', '--shallow', '--wait', '--keep-overlay')
  await (await open()).unary('cleanupExport', { export_id: 'cut' })
  assert.deepEqual([sources(made.libvirt, uuid)[0], state.size], [disk, 0])
})

test('what cannot be merged back yet stays on record, and the error says what to do', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh },
    provider,
    staging,
    state,
  } = made
  const disk = makeDisk('down.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'down', [[disk, 'qcow2']])
  virsh('start', '--domain', uuid)
  const items = provider.exportVm({ export_id: 'down', id: uuid, format: 'raw', staging_dir: staging })
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
  assert.deepEqual([sources(made.libvirt, uuid)[0], state.size], [disk, 0])
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
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh, disks },
    open,
    staging,
  } = made
  const disk = makeDisk('elsewhere.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'elsewhere', [[disk, 'qcow2']])
  virsh('start', '--domain', uuid)
  const directory = join(disks, 'a,b')
  execFileSync('install', ['-d', ...(process.getuid?.() === 0 ? ['-o', 'nobody'] : []), directory])
  const provider = await open({ overlay_directory: directory })
  const items = provider.exportVm({ export_id: 'elsewhere', id: uuid, format: 'raw', staging_dir: staging })
  await untilFile(items)
  assert.equal(readdirSync(directory).length, 1)
  await all(items)
  assert.deepEqual([sources(made.libvirt, uuid)[0], readdirSync(directory)], [disk, []])
  rmSync(directory, { recursive: true })
})

test('a snapshot that libvirt refuses leaves nothing frozen', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh },
    open,
    staging,
    state,
  } = made
  const disk = makeDisk('refused.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'refused', [[disk, 'qcow2']])
  virsh('start', '--domain', uuid)
  const provider = await open({ quiesce: true })
  const items = provider.exportVm({ export_id: 'refused', id: uuid, format: 'raw', staging_dir: staging })
  await assert.rejects(all(items), { code: 'LIBVIRT_FAILED', message: /agent/ })
  assert.deepEqual([sources(made.libvirt, uuid)[0], state.size], [disk, 0])
})
