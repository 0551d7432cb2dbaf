import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createKernel, type Kernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import type { OpenedClient, Progress } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { temporaryDirectory, testKernel } from '@backplane/testing'
import { provider, type ExportItem } from '@hypersdk/points'
import { adapt } from './adapt.ts'
import * as guide from './fixtures/guide-provider.js'
import { seedDialect } from './seed-dialect.ts'

const info = { name: 'p', version: '1.0.0', provider_type: 'p' }
const machine = { ID: 'vm-1', Name: 'web' }
const whole = { ListVMs: () => [machine], GetVM: () => machine, ExportVM: () => ({ Files: ['web.raw'] }) }

/** Opens an instance of a plugin with these exports, in a kernel with the provider point. */
async function open(t: TestContext, namespace: object, options: object = {}): Promise<OpenedClient<typeof provider>> {
  const type = String(Reflect.get(Object(Reflect.get(namespace, 'PluginInfo')), 'ProviderType') ?? 'p')
  const manifest = { id: 'seed/p', contributes: { 'hypersdk.provider': { [type]: {} } } }
  const { kernel, ...rest } = await testKernel({ points: [provider], plugins: [{ manifest, module: adapt(namespace) }] })
  t.after(() => rest[Symbol.asyncDispose]())
  return kernel.provider(provider, type).open(options)
}

/** An image directory and a staging directory. */
async function places(t: TestContext): Promise<{ images: string; staging: string }> {
  const root = await temporaryDirectory(t)
  const [images, staging] = [join(root, 'images'), join(root, 'staging')]
  await Promise.all([mkdir(images), mkdir(staging)])
  await writeFile(join(images, 'web.raw'), 'the disk of web')
  return { images, staging }
}

async function exported(
  client: OpenedClient<typeof provider>,
  staging_dir: string,
  format: 'raw' | 'qcow2' = 'raw',
): Promise<ExportItem[]> {
  const items: ExportItem[] = []
  for await (const item of client.exportVm({ export_id: 'e', id: 'vm-1', format, staging_dir })) items.push(item)
  return items
}

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
    await assert.rejects(open(t, { PluginInfo: info, NewProvider }), { message: new RegExp(`NewProvider of p ${problem}`) })
  })
}

test('a provider without a method it needs is refused by the name of the method', async (t) => {
  for (const method of ['ListVMs', 'GetVM', 'ExportVM']) {
    const provides = { PluginInfo: info, NewProvider: () => ({ ...whole, [method]: undefined }) }
    await assert.rejects(open(t, provides), { message: new RegExp(`no method ${method}`) })
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
    await assert.rejects(client.listVms({}), { message: new RegExp(`ListVMs of p answered ${problem}`) })
  }
})

for (const [problem, result] of [
  ['no Files', {}],
  ['no Files', null],
  ['a file outside OutputPath', { Files: ['../secret'] }],
  ['a file outside OutputPath', { Files: ['/etc/passwd'] }],
  ['a file that is not there', { Files: ['nothing.raw'] }],
  ['a file outside OutputPath', { OutputPath: '{staging}' }],
] as const) {
  test(`an export that answers ${JSON.stringify(result)} answers ${problem}`, async (t) => {
    const { staging } = await places(t)
    const answer = JSON.parse(JSON.stringify(result).replace('{staging}', staging)) as unknown
    const client = await open(t, { PluginInfo: info, NewProvider: () => ({ ...whole, ExportVM: () => answer }) })
    await assert.rejects(exported(client, staging), { message: new RegExp(`ExportVM of p answered ${problem}`) })
  })
}

test('an export may have several files, and their names say their formats', async (t) => {
  const { staging } = await places(t)
  await mkdir(join(staging, 'disks'))
  for (const file of ['disks/a.vmdk', 'disks/b']) await writeFile(join(staging, file), 'x')
  const answer = { files: ['disks/a.vmdk', join(staging, 'disks', 'b')], format: 'qcow2' }
  const client = await open(t, { PluginInfo: info, NewProvider: () => ({ ...whole, ExportVM: () => answer }) })
  const disks = (await exported(client, staging)).filter((item) => item.kind === 'disk')
  assert.deepEqual(
    disks.map(({ disk, format, label }) => [disk, format, label]),
    [
      ['disk0', 'vmdk', 'a.vmdk'],
      ['disk1', 'qcow2', 'b'],
    ],
  )
})

test('the context is cancelled with its call', async (t) => {
  const { staging } = await places(t)
  const started = new EventTarget()
  const seen: unknown[] = []
  interface Context {
    Done: () => Promise<void>
    Err: () => Error | null
    deadline: Date | null
  }
  const ExportVM = async (ctx: Context): Promise<void> => {
    seen.push(ctx.Err(), ctx.deadline instanceof Date)
    started.dispatchEvent(new Event('go'))
    await ctx.Done()
    seen.push(ctx.Err()?.message)
    throw ctx.Err() ?? new Error('not cancelled')
  }
  const client = await open(t, { PluginInfo: info, NewProvider: () => ({ ...whole, ExportVM }) })
  const cancel = new AbortController()
  const items = client.exportVm(
    { export_id: 'e', id: 'x', format: 'raw', staging_dir: staging },
    { signal: cancel.signal, deadlineMs: 60_000 },
  )
  const began = once(started, 'go')
  const first = items[Symbol.asyncIterator]().next()
  first.catch(() => undefined)
  await began
  cancel.abort(new Error('not wanted'))
  await assert.rejects(first)
  await new Promise(setImmediate)
  assert.deepEqual([seen[0], seen[1]], [null, true])
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
  await bench.kernel.provider(provider, 'p').open({})
  const lines = bench.lines.filter((line) => ['capital', 'object'].includes(line.message))
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields?.['vm'], fields?.['n']]),
    [
      ['info', 'web', 1],
      ['warn', 'web', undefined],
    ],
  )
})

test("the guide's provider works as a dropped-in file in a process of its own", async (t) => {
  const { images, staging } = await places(t)
  const root = await temporaryDirectory(t)
  const plugins = join(root, 'plugins')
  await mkdir(plugins)
  await writeFile(join(plugins, 'myprovider.js'), await readFile(new URL('fixtures/guide-provider.js', import.meta.url)))
  const kernel = await seedKernel(root, plugins, images)
  t.after(() => kernel[Symbol.asyncDispose]())
  await using lease = await kernel.lease(provider, 'myprovider')
  const client = await lease.handle.open({ metadata: { directory: images } })
  assert.equal((await client.listVms({}))[0]?.memory_mb, 2048)
  const target = join(lease.exchangeDirectory, 'call')
  await mkdir(target)
  assert.deepEqual(
    (await exported(client, target)).map((item) => item.kind),
    ['vm', 'disk', 'file'],
  )
  assert.equal(await readFile(join(target, 'web.raw'), 'utf8'), 'the disk of web')
  await assert.rejects(exported(client, staging), { message: /./ }, 'it may write nowhere else')
})

/** A kernel over one plugin directory whose plugins run in processes of their own. */
function seedKernel(root: string, plugins: string, images: string): Promise<Kernel> {
  const modules = Object.fromEntries(
    ['@backplane/sdk', '@hypersdk/points', 'zod'].map((name) => [name, import.meta.resolve(name)]),
  )
  return createKernel({
    host: { name: 'hypervisord', api: '1.0.0' },
    points: [provider],
    sources: [directory(plugins, { store: join(root, 'store'), watch: false, dialects: [seedDialect()] })],
    runtimes: [confined({ modules })],
    settings: () => ({ variables: { instances: { one: { metadata: { directory: images } } } } }),
    dataDirectory: join(root, 'data'),
    log: { write: () => undefined },
  })
}
