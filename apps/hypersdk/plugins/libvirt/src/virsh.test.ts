import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import type { Snapshot } from '@hypersdk/points'
import { openProvider, type OpenedProvider } from '@hypersdk/points/testing'
import plugin from './index.ts'
import { connectVirsh } from './virsh.ts'

const node = `test://${fileURLToPath(new URL('fixtures/test-node.xml', import.meta.url))}`
const state = { get: async () => undefined, set: async () => undefined, delete: async () => undefined, keys: async () => [] }

/** An instance over libvirt's own test driver. */
async function opened(t: TestContext, endpoint: string): Promise<OpenedProvider | undefined> {
  if (!requireProgram(t, 'virsh', 'libvirt-clients')) return undefined
  return openProvider(plugin, { endpoint }, { state })
}

test('the domains of test:///default are listed with their state and memory', async (t) => {
  const provider = await opened(t, 'test:///default')
  const [machine] = (await provider?.listVms()) ?? []
  if (provider === undefined) return
  assert.deepEqual(
    [machine?.name, machine?.id, machine?.state, machine?.power_state, machine?.memory_mb, machine?.num_cpus],
    ['test', '6695eb01-f6a4-8304-79aa-97f2502e193f', 'running', 'running', 8192, 2],
  )
  assert.equal(machine?.storage_gb, 0, 'libvirt makes up a size for a disk that is not there')
  assert.deepEqual(machine?.metadata['nics'], [{ mac: 'aa:bb:cc:dd:ee:ff', network: 'default', model: '' }])
  assert.equal(await provider.unary('validateCredentials', null), null)
})

test("every state of a domain is told in the host's words", async (t) => {
  const provider = await opened(t, node)
  if (provider === undefined) return
  assert.deepEqual(
    (await provider.listVms()).map(({ name, state: word, power_state: own, memory_mb: memory }) => [name, word, own, memory]),
    [
      ['-off; reboot', 'stopped', 'shut off', 1024],
      ['crashed', 'stopped', 'crashed', 64],
      ['paused', 'suspended', 'paused', 512],
      ['web', 'running', 'running', 2048],
    ],
  )
})

test('a domain is found by UUID and by name, also one that looks like an option or a command, never by its number', async (t) => {
  const provider = await opened(t, node)
  if (provider === undefined) return
  for (const id of ['4dea22b3-1d52-d8f3-2516-782e98ab3fa2', '-off; reboot']) {
    assert.equal((await provider.getVm(id)).name, '-off; reboot')
  }
  for (const id of ['1', 'nobody', '--help', '']) {
    if (id !== '') await assert.rejects(provider.getVm(id), { code: 'LIBVIRT_NOT_FOUND', message: `there is no domain ${id}` })
  }
  assert.equal(((await provider.unary('searchVms', { query: 'REBOOT' })) as unknown[]).length, 1)
})

test('snapshots are listed oldest first, whatever they are called', async (t) => {
  const provider = await opened(t, node)
  if (provider === undefined) return
  const found = (await provider.unary('listSnapshots', { id: 'web' })) as Snapshot[]
  assert.deepEqual(
    found.map(({ id, created_at: created, metadata }) => [id, created, metadata['parent']]),
    [
      ['before update', '2020-09-13T12:26:40.000Z', null],
      ['--help', '2023-11-14T22:13:20.000Z', 'before update'],
    ],
  )
  assert.equal(await provider.unary('deleteSnapshot', { id: 'web', snapshot_id: '--help' }), null)
  const missing = provider.unary('deleteSnapshot', { id: 'web', snapshot_id: 'nothing' })
  await assert.rejects(missing, { code: 'LIBVIRT_SNAPSHOT_NOT_FOUND', message: /no snapshot nothing/ })
})

test('what libvirt answers when it refuses reaches the user', async (t) => {
  const provider = await opened(t, node)
  if (provider === undefined) return
  const again = provider.unary('createSnapshot', { id: 'web', name: 'before update' })
  await assert.rejects(again, { code: 'LIBVIRT_FAILED', message: /virsh snapshot-create-as failed: .*before update/ })
})

test('a hypervisor that is not there is told from one that has no such domain', async (t) => {
  const provider = await opened(t, 'qemu+unix:///session?socket=/nonexistent/libvirt-sock')
  if (provider === undefined) return
  await assert.rejects(provider.listVms(), { code: 'LIBVIRT_UNREACHABLE', retryable: true, message: /No such file or directory/ })
})

test('a virsh that does not answer in time is ended', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients')) return
  const provider = await openProvider(plugin, { endpoint: 'test:///default', timeout_ms: 1 }, { state })
  await assert.rejects(provider.listVms(), { code: 'LIBVIRT_TIMEOUT', message: /virsh list did not answer within 1 ms/ })
})

test('the connection is the endpoint, or the host over ssh, or the system', () => {
  assert.equal(connectVirsh({}).uri, 'qemu:///system')
  assert.equal(connectVirsh({ endpoint: 'test:///default' }).uri, 'test:///default')
  assert.equal(connectVirsh({ host: 'kvm1', port: 2222, username: 'ad min' }).uri, 'qemu+ssh://ad%20min@kvm1:2222/system')
  for (const endpoint of ['nonsense', '-c qemu:///system', 'qemu:', '']) {
    assert.throws(() => connectVirsh({ endpoint }), { code: 'LIBVIRT_URI_INVALID' })
  }
})

for (const [what, endpoint, id, code] of [
  ['of another machine', 'qemu+ssh://kvm1/system', 'web', 'LIBVIRT_REMOTE_EXPORT'],
  ['whose disk is not there', node, 'web', 'LIBVIRT_DISK_MISSING'],
  ['without a disk', node, 'crashed', 'LIBVIRT_NO_DISKS'],
  ['with its disk on the network', node, '-off; reboot', 'LIBVIRT_DISK_UNSUPPORTED'],
] as const) {
  test(`a domain ${what} is not exported, and the error says why`, async (t) => {
    const provider = await opened(t, endpoint)
    if (provider === undefined) return
    const items = provider.exportVm({ export_id: 'e', id, format: 'raw', staging_dir: '/nonexistent' })
    await assert.rejects(
      async () => {
        for await (const item of items) assert.notEqual(item.kind, 'file')
      },
      { code },
    )
  })
}

test("archive formats are the host's to make, not this plugin's", async () => {
  const provider = await openProvider(plugin, { endpoint: 'test:///default' }, { state })
  const items = provider.exportVm({ export_id: 'e', id: 'test', format: 'ova', staging_dir: '/tmp' })
  await assert.rejects(items.next(), { code: 'LIBVIRT_FORMAT_UNSUPPORTED' })
})
