import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Progress } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { provider, type ExportItem } from '@hypersdk/points'
import { adapt } from './adapt.ts'
import { guide, info, machine, open, places, refusal, whole } from './fixtures/open-seed.ts'

test("the guide's provider lists, finds and exports through the point", async (t) => {
  const { images, staging } = await places(t)
  const client = await open(t, guide, { metadata: { directory: images } })
  await client.validateCredentials(null)
  const [listed] = await client.listVms({})
  assert.deepEqual(
    [listed?.id, listed?.memory_mb, listed?.num_cpus, listed?.ip_addresses, listed?.tags, listed?.created_at],
    ['vm-1', 2048, 2, ['10.0.0.7'], { env: 'prod' }, '2026-01-01T00:00:00.000Z'],
  )
  assert.deepEqual(await client.listVms({ name_pattern: 'other' }), [])
  assert.equal((await client.getVm({ id: 'vm-1' })).name, 'web')
  assert.equal((await client.searchVms({ query: 'we' })).length, 1)
  const progress: Progress[] = []
  const items: ExportItem[] = []
  const request = { export_id: 'e', id: 'vm-1', format: 'raw', staging_dir: staging } as const
  for await (const item of client.exportVm(request, { onProgress: (report) => progress.push(report) })) items.push(item)
  assert.deepEqual(items, [
    { kind: 'vm', name: 'web' },
    { kind: 'disk', disk: 'disk0', format: 'raw', size_bytes: 15, label: 'web.raw', boot: true },
    { kind: 'file', disk: 'disk0', path: 'web.raw' },
  ])
  assert.equal(await readFile(join(staging, 'web.raw'), 'utf8'), 'the disk of web')
  assert.deepEqual(progress.at(-1), { done: 50, total: 100, phase: 'downloading' })
})

test("the guide's provider says itself when its configuration is wrong", async (t) => {
  await assert.rejects(open(t, guide), { message: /missing required configuration: directory/ })
})

class ByClass {
  readonly #config: { metadata: { word: string } }
  constructor(config: { metadata: { word: string } }) {
    this.#config = config
  }
  listVms(): object[] {
    return [{ id: this.#config.metadata.word, name: 'by class' }]
  }
  getVm(): object {
    return machine
  }
  exportVm(): object {
    return {}
  }
}

for (const [form, NewProvider] of Object.entries({
  'a function': () => whole,
  'an asynchronous function': async () => whole,
  'a class': ByClass,
  'the provider itself': whole,
  'an object that holds a factory': { NewProvider: () => whole },
  'an object with a method Create': { create: () => whole },
})) {
  test(`NewProvider may be ${form}`, async (t) => {
    const client = await open(t, { PluginInfo: info, NewProvider }, { metadata: { word: 'vm-1' } })
    assert.equal((await client.listVms({}))[0]?.id, 'vm-1')
  })
}

test('a CommonJS module is understood by its default export', async (t) => {
  const client = await open(t, { PluginInfo: info, default: { PluginInfo: info, NewProvider: () => whole } })
  assert.equal((await client.listVms({})).length, 1)
})

for (const [problem, NewProvider] of [
  ['is undefined', undefined],
  ['is number', 7],
  ['is null', null],
  ['answered no provider', () => undefined],
  ['is object', {}],
] as const) {
  test(`a NewProvider that ${problem} is refused when an instance is opened`, async (t) => {
    await assert.rejects(
      open(t, { PluginInfo: info, NewProvider }),
      refusal('SEED_FACTORY_INVALID', `NewProvider of p ${problem}`),
    )
  })
}

test('a provider without a method it needs is refused by the name of the method', async (t) => {
  for (const method of ['ListVMs', 'GetVM', 'ExportVM']) {
    const provides = { PluginInfo: info, NewProvider: () => ({ ...whole, [method]: undefined }) }
    await assert.rejects(open(t, provides), refusal('SEED_METHOD_MISSING', `no method ${method}`))
  }
})

test('what is optional may be left out: connecting, credentials, searching, disconnecting', async (t) => {
  const client = await open(t, { PluginInfo: info, NewProvider: () => whole })
  await client.validateCredentials(null)
  assert.equal((await client.searchVms({ query: 'anything' })).length, 1)
  assert.equal(client.has('cleanupExport'), false)
  await client[Symbol.asyncDispose]()
})

test('an instance that is closed disconnects, and cleanup is passed on where there is one', async (t) => {
  const told: string[] = []
  const NewProvider = (): object => ({
    ...whole,
    CleanupExport: (_ctx: unknown, id: string) => void told.push(`cleanup ${id}`),
    Disconnect: () => void told.push('disconnect'),
  })
  const client = await open(t, { PluginInfo: info, NewProvider })
  await client.cleanupExport({ export_id: 'e7' })
  await client[Symbol.asyncDispose]()
  assert.deepEqual(told, ['cleanup e7', 'disconnect'])
})

test('a list that is nil is empty, and anything else that is no list of machines an error', async (t) => {
  const answers: unknown[] = [null, undefined, 'web', [{ Name: 'no id' }], [7]]
  const NewProvider = (): object => ({ ...whole, ListVMs: () => answers.shift() })
  const client = await open(t, { PluginInfo: info, NewProvider })
  assert.deepEqual(await client.listVms({}), [])
  assert.deepEqual(await client.listVms({}), [])
  for (const problem of ['no list', 'a machine without an ID', 'a machine without an ID']) {
    await assert.rejects(client.listVms({}), refusal('SEED_RESULT_INVALID', `ListVMs of p answered ${problem}`))
  }
})

test('a GetVM that answers nothing says that there is no such machine', async (t) => {
  const client = await open(t, { PluginInfo: info, NewProvider: (): object => ({ ...whole, GetVM: () => [].at(0) }) })
  await assert.rejects(client.getVm({ id: 'vm-9' }), refusal('SEED_MACHINE_NOT_FOUND', 'p has no machine vm-9'))
})

test('log lines carry their pairs as fields', async (t) => {
  const NewProvider = (_config: object, log: Record<string, (...args: unknown[]) => void>): object => {
    log['Info']?.('capital', 'vm', 'web', 'n', 1)
    log['warn']?.('object', { vm: 'web' })
    return whole
  }
  const bench = await testKernel({
    points: [provider],
    plugins: [
      {
        manifest: { id: 'seed/p', contributes: { 'hypersdk.provider': { p: {} } } },
        module: adapt({ PluginInfo: info, NewProvider }),
      },
    ],
  })
  t.after(() => bench[Symbol.asyncDispose]())
  await using _opened = await bench.kernel.provider(provider, 'p').open({})
  const lines = bench.lines.filter((line) => ['capital', 'object'].includes(line.message))
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields?.['vm'], fields?.['n']]),
    [
      ['info', 'web', 1],
      ['warn', 'web', undefined],
    ],
  )
})
