import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import type { ExportItem } from '@hypersdk/points'
import { openProvider } from '@hypersdk/points/testing'
import { all } from './fixtures/libvirt-bench.ts'
import plugin from './index.ts'

const state = { get: async () => undefined, set: async () => undefined, delete: async () => undefined, keys: async () => [] }
const diskBytes = 3 * 512 * 1031

/** A node of the test driver with one machine, running or shut off, on a disk that need not exist. */
async function nodeWith(t: TestContext, disk: string, runstate: 1 | 5): Promise<{ endpoint: string; directory: string }> {
  const directory = await temporaryDirectory(t)
  const file = join(directory, 'node.xml')
  await writeFile(
    file,
    `<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
      <name>web</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid><memory>65536</memory><os><type>hvm</type></os>
      <devices><disk type='file' device='disk'><source file='${join(directory, disk)}'/><target dev='vda'/></disk></devices>
      <test:runstate>${runstate}</test:runstate></domain></node>`,
  )
  await writeFile(join(directory, 'there.img'), Buffer.alloc(diskBytes, 'a disk '))
  return { endpoint: `test://${file}`, directory }
}

async function exported(endpoint: string, staging: string): Promise<ExportItem[]> {
  const provider = await openProvider(plugin, { endpoint }, { state })
  return all(provider.exportVm({ export_id: 'e', id: 'web', format: 'raw', staging_dir: staging }))
}

test('a disk the test driver only imagines is refused with the name of its file, and no size is told of it', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients') || !requireProgram(t, 'qemu-img', 'qemu-utils')) return
  for (const runstate of [1, 5] as const) {
    const { endpoint, directory } = await nodeWith(t, 'imagined.img', runstate)
    const provider = await openProvider(plugin, { endpoint }, { state })
    assert.deepEqual(
      (await provider.listVms()).map(({ name, state: word, storage_gb: size }) => [name, word, size]),
      [['web', runstate === 1 ? 'running' : 'stopped', 0]],
    )
    await assert.rejects(exported(endpoint, directory), {
      code: 'LIBVIRT_DISK_MISSING',
      message: `disk vda of web is not there: no file ${join(directory, 'imagined.img')}`,
    })
  }
})

test('a disk the test driver names and that is there is exported with its own size', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients') || !requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const { endpoint, directory } = await nodeWith(t, 'there.img', 5)
  const items = await exported(endpoint, directory)
  assert.equal(items.find((item) => item.kind === 'disk')?.size_bytes, diskBytes)
  assert.deepEqual(await readFile(join(directory, 'vda.raw')), await readFile(join(directory, 'there.img')))
})

test('a machine of the test driver that runs cannot be frozen', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients') || !requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const { endpoint, directory } = await nodeWith(t, 'there.img', 1)
  await assert.rejects(exported(endpoint, directory), { code: 'LIBVIRT_RUNNING_UNSUPPORTED', message: /runs on test/ })
})

test('a disk that is there and cannot be read is told with the reason', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients') || !requireProgram(t, 'qemu-img', 'qemu-utils')) return
  const { endpoint, directory } = await nodeWith(t, '.', 5)
  await assert.rejects(exported(endpoint, directory), { code: 'LIBVIRT_CONVERT_FAILED', message: /vda of web/ })
})
