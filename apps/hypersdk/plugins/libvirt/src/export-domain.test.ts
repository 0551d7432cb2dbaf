import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { all, bench, compare, domain, useLibvirt } from './fixtures/libvirt-bench.ts'

useLibvirt()

for (const format of ['raw', 'qcow2', 'vmdk'] as const) {
  test(`a domain that is shut off is exported to ${format}, and the disks are the same`, async (t) => {
    const made = await bench(t)
    if (made === undefined) return
    const {
      libvirt: { makeDisk },
      provider,
      staging,
    } = made
    const disks = [
      [makeDisk('off-a.qcow2', 'qcow2'), 'qcow2'],
      [makeDisk('off-b.raw', 'raw'), 'raw'],
    ] as const
    const uuid = domain(t, made.libvirt, 'off', disks)
    const items = await all(provider.exportVm({ export_id: 'off', id: 'off', format, staging_dir: staging }))
    assert.deepEqual(
      items.map((item) => item.kind),
      ['vm', 'disk', 'disk', 'file', 'file'],
    )
    const first = items.find((item) => item.kind === 'disk')
    assert.deepEqual(
      [first?.disk, first?.source_format, first?.boot, first?.size_bytes],
      ['vda', 'qcow2', true, format === 'raw' ? 16 * 1024 ** 2 : null],
    )
    compare(join(staging, `vda.${format}`), format, disks[0][0], 'qcow2')
    compare(join(staging, `vdb.${format}`), format, disks[1][0], 'raw')
    assert.equal((await provider.getVm(uuid)).state, 'stopped')
    assert.ok(Math.abs((await provider.getVm(uuid)).storage_gb - 0.031) < 0.001)
  })
}

test('a disk that another program writes to, or that is not there, is named', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk },
    provider,
    staging,
  } = made
  const disk = makeDisk('busy.qcow2', 'qcow2')
  const uuid = domain(t, made.libvirt, 'busy', [[disk, 'qcow2']])
  const writer = spawn('qemu-io', ['-f', 'qcow2', disk], { stdio: ['pipe', 'pipe', 'inherit'] })
  writer.stdin.write('length\n')
  await once(writer.stdout, 'data')
  const request = { export_id: 'busy', id: uuid, format: 'qcow2', staging_dir: staging }
  await assert.rejects(all(provider.exportVm(request)), { code: 'LIBVIRT_DISK_IN_USE', message: /disk vda of busy/ })
  writer.stdin.end('quit\n')
  await once(writer, 'close')
  rmSync(disk)
  await assert.rejects(all(provider.exportVm(request)), {
    code: 'LIBVIRT_DISK_MISSING',
    message: `disk vda of busy is not there: no file ${disk}`,
  })
})

test('snapshots of a domain are taken, listed and deleted', async (t) => {
  const made = await bench(t)
  if (made === undefined) return
  const {
    libvirt: { makeDisk, virsh },
    provider,
    staging,
  } = made
  const uuid = domain(t, made.libvirt, 'snapped', [[makeDisk('snapped.qcow2', 'qcow2'), 'qcow2']])
  const taken = (await provider.unary('createSnapshot', { id: 'snapped', name: '--before; update' })) as {
    id: string
    created_at: string
  }
  assert.equal(taken.id, '--before; update')
  assert.ok(Date.parse(taken.created_at) > Date.parse('2024-01-01'))
  assert.deepEqual(await provider.unary('listSnapshots', { id: uuid }), [taken])
  const items = await all(
    provider.exportVm({ export_id: 's', id: uuid, format: 'qcow2', staging_dir: staging, include_snapshots: true }),
  )
  assert.equal(items.filter((item) => item.kind === 'warning').length, 1)
  await provider.unary('deleteSnapshot', { id: uuid, snapshot_id: taken.id })
  assert.deepEqual(await provider.unary('listSnapshots', { id: uuid }), [])
  assert.equal(virsh('snapshot-list', '--domain', uuid, '--name').trim(), '')
})
