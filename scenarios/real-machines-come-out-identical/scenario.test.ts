import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'

const run = promisify(execFile)

/** The API's word for each of `virsh domstate`. Source: virsh(1), "domstate". */
const states = new Map([
  ['running', 'running'],
  ['idle', 'running'],
  ['in shutdown', 'running'],
  ['paused', 'suspended'],
  ['pmsuspended', 'suspended'],
  ['shut off', 'stopped'],
  ['crashed', 'stopped'],
  ['no state', 'stopped'],
])

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
  const places = await makePlaces(t, '  lab: { type: libvirt, endpoint: "test://NODE" }\n')
  const node = join(places.root, 'node.xml')
  await writeFile(node, `<node>${domain('at-work', 1)}${domain('held', 3)}${domain('halted', 5)}</node>`)
  await Hypervisord.configure(places, (text) => text.replace('NODE', node))
  const daemon = await Hypervisord.start(places)
  const answer = await daemon.get('/api/providers/lab/vms')
  assert.equal(answer.status, 200, answer.text)
  const { stdout } = await run('virsh', ['-c', `test://${node}`, 'list', '--all', '--name'])
  const names = stdout
    .split('\n')
    .filter((name) => name !== '')
    .sort()
  assert.deepEqual(
    answer.body.vms.map((vm: { name: string }) => vm.name),
    names,
  )
  for (const vm of answer.body.vms as { name: string; state: string; memory_mb: number }[]) {
    const { stdout: word } = await run('virsh', ['-c', `test://${node}`, 'domstate', '--domain', vm.name])
    assert.equal(vm.state, states.get(word.trim()), `${vm.name} is ${word.trim()}`)
    assert.ok(vm.memory_mb > 0, vm.name)
  }
  assert.deepEqual(answer.body.vms.map((vm: { state: string }) => vm.state).sort(), ['running', 'stopped', 'suspended'])
})

/** For libvirt's test driver; `runState` as in virDomainState: 1 running, 3 paused, 5 shut off. */
function domain(name: string, runState: 1 | 3 | 5): string {
  const space = 'http://libvirt.org/schemas/domain/test/1.0'
  // Each connection makes the domains anew, and without a UUID would make up another one.
  const uuid = `00000000-0000-4000-8000-00000000000${runState}`
  const rest = `<uuid>${uuid}</uuid><memory>65536</memory><os><type>hvm</type></os><test:runstate>${runState}</test:runstate>`
  return `<domain type="test" xmlns:test="${space}"><name>${name}</name>${rest}</domain>`
}
