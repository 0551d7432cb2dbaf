import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'

const run = promisify(execFile)

test('a real qcow2 is exported as raw and as qcow2, and qemu-img finds no difference', async (t) => {
  if (!requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const places = await makePlaces(t, '  images: { type: disk-images, metadata: { directory: DISKS } }\n')
  const disks = join(places.root, 'disks')
  await mkdir(disks)
  await Hypervisord.configure(places, (text) => text.replace('DISKS', disks))
  const source = join(disks, 'appliance.qcow2')
  await run('qemu-img', ['create', '-f', 'qcow2', source, '64M'])
  for (const [pattern, offset] of [
    ['0x5a', '1M'],
    ['0xc3', '40M'],
  ] as const) {
    await run('qemu-io', ['-f', 'qcow2', '-c', `write -P ${pattern} ${offset} 3M`, source])
  }
  const daemon = await Hypervisord.start(places)
  for (const format of ['raw', 'qcow2']) {
    const job = await daemon.ended(
      await daemon.submit({ provider: 'images', vm_id: 'appliance.qcow2', format, output_dir: `as-${format}` }),
    )
    assert.equal(job.status, 'completed', job.error)
    const { stdout } = await run('qemu-img', ['compare', '-f', 'qcow2', '-F', format, source, job.result.files[0]])
    assert.match(stdout, /Images are identical/)
    const { stdout: sum } = await run('sha256sum', [job.result.files[0]])
    assert.equal(sum.split(' ')[0], job.result.checksum)
  }
})

test('domains of a libvirt are listed through the API with their states', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients')) return
  const places = await makePlaces(t, '  lab: { type: libvirt, endpoint: "test:///default" }\n')
  const daemon = await Hypervisord.start(places)
  const answer = await daemon.get('/api/providers/lab/vms')
  assert.equal(answer.status, 200, answer.text)
  const { stdout } = await run('virsh', ['-c', 'test:///default', 'list', '--all', '--name'])
  const names = stdout
    .split('\n')
    .filter((name) => name !== '')
    .sort()
  assert.deepEqual(
    answer.body.vms.map((vm: { name: string }) => vm.name),
    names,
  )
  assert.ok(answer.body.vms.every((vm: { state: string; memory_mb: number }) => vm.state === 'running' && vm.memory_mb > 0))
})
